// SPDX-License-Identifier: MIT
// How statements and actions of a web ACL are written: maps of which exactly one key is taken.
#pragma once

#include <memory>
#include <string>

#include "schema/model/web_acl.h"
#include "schema/table/composite.h"

namespace headgate::schema {

/// A type that is only known later: what makes a table that contains itself possible.
class DeferredType final : public Type {
 public:
  explicit DeferredType(const Type& (*get)(), const char* name) : get_(get), name_(name) {}
  bool decode(const Node& node, void* out, const Constraint& constraint,
              Decoder& decoder) const override {
    return get_().decode(node, out, constraint, decoder);
  }
  Json encode(const void* value, const EncodeOptions& options) const override {
    return get_().encode(value, options);
  }
  Json json_schema(const Constraint& constraint, SchemaWriter& writer) const override {
    return get_().json_schema(constraint, writer);
  }
  std::string label(const Constraint&) const override { return name_; }

 private:
  const Type& (*get_)();
  const char* name_;
};

/// A text, or a list of them.
class TextsType final : public Type {
 public:
  bool decode(const Node&, void*, const Constraint&, Decoder&) const override;
  Json encode(const void*, const EncodeOptions&) const override;
  Json json_schema(const Constraint&, SchemaWriter&) const override;
  std::string label(const Constraint&) const override;
};
const Type& texts_type();

/// `{all: …}`, `{path: …}`: see WafStatement.
const Type& waf_statement_type();
const Type& optional_waf_statement_type();

/// `path` of an exclusion.
const Type& optional_waf_path_type();

/// `allow`, `block`, `count`, `challenge`, or a map of one of them.
const Type& waf_action_type();
const Type& optional_waf_action_type();

/// `ipSets`: names of lists of networks, or of files that list them.
const Type& waf_ip_sets_type();

/// `bots`: names of known ones, or tables.
const Type& waf_bots_type();

}  // namespace headgate::schema
