// SPDX-License-Identifier: MIT
// Booleans, numbers, texts, durations, sizes and choices.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "schema/table/type.h"
#include "schema/text.h"

namespace headgate::schema {

class BooleanType final : public Type {
 public:
  bool decode(const Node&, void*, const Constraint&, Decoder&) const override;
  Json encode(const void*, const EncodeOptions&) const override;
  Json json_schema(const Constraint&, SchemaWriter&) const override;
  std::string label(const Constraint&) const override;
};

/// Whole numbers; `Store` keeps them in their own type.
class IntegerType : public Type {
 public:
  bool decode(const Node&, void*, const Constraint&, Decoder&) const override;
  Json encode(const void*, const EncodeOptions&) const override;
  Json json_schema(const Constraint&, SchemaWriter&) const override;
  std::string label(const Constraint&) const override;

 protected:
  virtual void store(void* out, std::int64_t value) const = 0;
  virtual std::int64_t load(const void* value) const = 0;
  virtual std::int64_t lowest() const = 0;
  virtual std::int64_t highest() const = 0;
};

template <class T>
class IntegerOf final : public IntegerType {
  static_assert(sizeof(T) <= 4);
  void store(void* out, std::int64_t value) const override {
    *static_cast<T*>(out) = static_cast<T>(value);
  }
  std::int64_t load(const void* value) const override { return *static_cast<const T*>(value); }
  std::int64_t lowest() const override { return std::numeric_limits<T>::min(); }
  std::int64_t highest() const override { return std::numeric_limits<T>::max(); }
};

/// Decimal numbers.
class NumberType final : public Type {
 public:
  bool decode(const Node&, void*, const Constraint&, Decoder&) const override;
  Json encode(const void*, const EncodeOptions&) const override;
  Json json_schema(const Constraint&, SchemaWriter&) const override;
  std::string label(const Constraint&) const override;
};

/// Texts. A plain number is taken as it is written; a boolean or nothing is refused.
class TextType final : public Type {
 public:
  bool decode(const Node&, void*, const Constraint&, Decoder&) const override;
  Json encode(const void*, const EncodeOptions&) const override;
  Json json_schema(const Constraint&, SchemaWriter&) const override;
  std::string label(const Constraint&) const override;
};

class DurationType final : public Type {
 public:
  bool decode(const Node&, void*, const Constraint&, Decoder&) const override;
  Json encode(const void*, const EncodeOptions&) const override;
  Json json_schema(const Constraint&, SchemaWriter&) const override;
  std::string label(const Constraint&) const override;
};

/// RFC 3339, in a Timestamp.
class TimestampType final : public Type {
 public:
  bool decode(const Node&, void*, const Constraint&, Decoder&) const override;
  Json encode(const void*, const EncodeOptions&) const override;
  Json json_schema(const Constraint&, SchemaWriter&) const override;
  std::string label(const Constraint&) const override;
};

/// Octets, in a std::uint64_t.
class SizeType final : public Type {
 public:
  bool decode(const Node&, void*, const Constraint&, Decoder&) const override;
  Json encode(const void*, const EncodeOptions&) const override;
  Json json_schema(const Constraint&, SchemaWriter&) const override;
  std::string label(const Constraint&) const override;
};

/// Names of an enumeration; `later` are names of CloudFront's that this version refuses.
class ChoiceType : public Type {
 public:
  explicit ChoiceType(std::vector<std::string> names, std::vector<std::string> later = {})
      : names_(std::move(names)), later_(std::move(later)) {}
  bool decode(const Node&, void*, const Constraint&, Decoder&) const override;
  Json encode(const void*, const EncodeOptions&) const override;
  Json json_schema(const Constraint&, SchemaWriter&) const override;
  std::string label(const Constraint&) const override;

 protected:
  virtual void store(void* out, std::size_t index) const = 0;
  virtual std::size_t load(const void* value) const = 0;

 private:
  std::vector<std::string> names_;
  std::vector<std::string> later_;
};

template <class E>
struct Choice {
  E value;
  const char* name;
};

template <class E>
class ChoiceOf final : public ChoiceType {
 public:
  explicit ChoiceOf(std::vector<Choice<E>> choices, std::vector<std::string> later = {})
      : ChoiceType(names(choices), std::move(later)), choices_(std::move(choices)) {}

 private:
  static std::vector<std::string> names(const std::vector<Choice<E>>& choices) {
    std::vector<std::string> out;
    for (const Choice<E>& choice : choices) out.emplace_back(choice.name);
    return out;
  }
  void store(void* out, std::size_t index) const override {
    *static_cast<E*>(out) = choices_[index].value;
  }
  std::size_t load(const void* value) const override {
    auto found = std::find_if(choices_.begin(), choices_.end(), [&](const Choice<E>& choice) {
      return choice.value == *static_cast<const E*>(value);
    });
    return static_cast<std::size_t>(found - choices_.begin());
  }
  std::vector<Choice<E>> choices_;
};

/// Texts of which only some are allowed.
class TextChoice final : public ChoiceType {
 public:
  explicit TextChoice(std::vector<std::string> names)
      : ChoiceType(names), names_(std::move(names)) {}

 private:
  void store(void* out, std::size_t index) const override {
    *static_cast<std::string*>(out) = names_[index];
  }
  std::size_t load(const void* value) const override {
    auto found = std::find(names_.begin(), names_.end(), *static_cast<const std::string*>(value));
    return static_cast<std::size_t>(found - names_.begin());
  }
  std::vector<std::string> names_;
};

/// `valueFrom: {file|env|credential}`; with inline text too unless only references are allowed.
class SecretType final : public Type {
 public:
  explicit SecretType(bool inline_allowed) : inline_allowed_(inline_allowed) {}
  bool decode(const Node&, void*, const Constraint&, Decoder&) const override;
  Json encode(const void*, const EncodeOptions&) const override;
  Json json_schema(const Constraint&, SchemaWriter&) const override;
  std::string label(const Constraint&) const override;

 private:
  bool decode_reference(const Node&, void*, Decoder&) const;
  bool inline_allowed_;
};

}  // namespace headgate::schema
