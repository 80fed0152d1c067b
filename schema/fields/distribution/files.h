// SPDX-License-Identifier: MIT
// Fields whose value is the content of a file of the repository.
#pragma once

#include "schema/table/type.h"

namespace headgate::schema {

/// `text` or `{file: PATH}`. The kinds of content differ in what they check and where they put it.
class FileTextType : public Type {
 public:
  bool decode(const Node&, void*, const Constraint&, Decoder&) const override;
  Json json_schema(const Constraint&, SchemaWriter&) const override;
  std::string label(const Constraint&) const override;

 protected:
  /// `path` is empty for text that stands in the YAML itself. False after reporting an error.
  virtual bool store(void* out, std::string content, const std::string& path, const Node& node,
                     Decoder& decoder) const = 0;
};

/// `custom.caBundle`, on a CustomOrigin.
class CaBundleType final : public FileTextType {
 public:
  Json encode(const void*, const EncodeOptions&) const override;

 private:
  bool store(void*, std::string, const std::string&, const Node&, Decoder&) const override;
};

/// `certificate`, on a Certificate.
class CertificateChainType final : public FileTextType {
 public:
  Json encode(const void*, const EncodeOptions&) const override;

 private:
  bool store(void*, std::string, const std::string&, const Node&, Decoder&) const override;
};

/// `body` of a web ACL's block, on a WafAction. A text that looks like a file's name is one.
class WafBodyType final : public FileTextType {
 public:
  bool decode(const Node&, void*, const Constraint&, Decoder&) const override;
  Json encode(const void*, const EncodeOptions&) const override;

 private:
  bool store(void*, std::string, const std::string&, const Node&, Decoder&) const override;
};

/// `inlineBody`, on a CustomErrorResponse.
class InlineBodyType final : public FileTextType {
 public:
  Json encode(const void*, const EncodeOptions&) const override;

 private:
  bool store(void*, std::string, const std::string&, const Node&, Decoder&) const override;
};

}  // namespace headgate::schema
