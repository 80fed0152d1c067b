// SPDX-License-Identifier: MIT
// Types made of other types: lists, optional values, maps of texts; and type_of() for all of them.
#pragma once

#include <set>
#include <utility>

#include "schema/table/object.h"
#include "schema/table/scalar.h"

namespace headgate::schema {

/// The parts of a list that do not depend on its element.
class ListType : public Type {
 public:
  explicit ListType(const Type& item) : item_(item) {}
  bool decode(const Node&, void*, const Constraint&, Decoder&) const override;
  Json encode(const void*, const EncodeOptions&) const override;
  Json json_schema(const Constraint&, SchemaWriter&) const override;
  std::string label(const Constraint&) const override;
  const ObjectType* object() const override { return item_.object(); }

 protected:
  virtual void clear(void* list) const = 0;
  virtual void* append(void* list) const = 0;
  virtual std::size_t size(const void* list) const = 0;
  virtual const void* at(const void* list, std::size_t index) const = 0;

 private:
  const Type& item_;
};

template <class T>
class ListOf final : public ListType {
 public:
  explicit ListOf(const Type& item) : ListType(item) {}

 private:
  using List = std::vector<T>;
  void clear(void* list) const override { static_cast<List*>(list)->clear(); }
  void* append(void* list) const override { return &static_cast<List*>(list)->emplace_back(); }
  std::size_t size(const void* list) const override {
    return static_cast<const List*>(list)->size();
  }
  const void* at(const void* list, std::size_t index) const override {
    return &(*static_cast<const List*>(list))[index];
  }
};

/// A value that may be absent. YAML says so by leaving the field out.
template <class T>
class OptionalOf final : public Type {
 public:
  explicit OptionalOf(const Type& inner) : inner_(inner) {}
  bool decode(const Node& node, void* out, const Constraint& constraint,
              Decoder& decoder) const override {
    T value{};
    bool good = inner_.decode(node, &value, constraint, decoder);
    if (good || inner_.object() != nullptr) *static_cast<std::optional<T>*>(out) = std::move(value);
    return good;
  }
  Json encode(const void* value, const EncodeOptions& options) const override {
    const auto& optional = *static_cast<const std::optional<T>*>(value);
    return optional ? inner_.encode(&*optional, options) : Json();
  }
  Json json_schema(const Constraint& constraint, SchemaWriter& writer) const override {
    return inner_.json_schema(constraint, writer);
  }
  std::string label(const Constraint& constraint) const override {
    return inner_.label(constraint);
  }
  const ObjectType* object() const override { return inner_.object(); }
  std::vector<const ObjectType*> objects() const override { return inner_.objects(); }

 private:
  const Type& inner_;
};

/// A map of texts, kept as std::map or as a list of pairs.
class TextMapType : public Type {
 public:
  bool decode(const Node&, void*, const Constraint&, Decoder&) const override;
  Json encode(const void*, const EncodeOptions&) const override;
  Json json_schema(const Constraint&, SchemaWriter&) const override;
  std::string label(const Constraint&) const override;

 protected:
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  virtual void store(void* out, Pairs pairs) const = 0;
  virtual Pairs load(const void* value) const = 0;
};

class TextMapOf final : public TextMapType {
  using Map = std::map<std::string, std::string>;
  void store(void* out, Pairs pairs) const override {
    *static_cast<Map*>(out) = Map(pairs.begin(), pairs.end());
  }
  Pairs load(const void* value) const override {
    const Map& map = *static_cast<const Map*>(value);
    return Pairs(map.begin(), map.end());
  }
};

class TextPairsOf final : public TextMapType {
  void store(void* out, Pairs pairs) const override {
    *static_cast<Pairs*>(out) = std::move(pairs);
  }
  Pairs load(const void* value) const override { return *static_cast<const Pairs*>(value); }
};

/// Finds the Type of a C++ type; specialised for enumerations and structs where their table is.
template <class T>
struct TypeOf;

template <class T>
const Type& type_of() {
  return TypeOf<T>::get();
}

/// A constant table built on first use: immutable, so no more a singleton than a string literal.
#define HG_SCHEMA_TYPE(cpp_type, ...) \
  template <>                         \
  struct TypeOf<cpp_type> {           \
    static const Type& get() {        \
      static const __VA_ARGS__;       \
      return type;                    \
    }                                 \
  }

HG_SCHEMA_TYPE(bool, BooleanType type);
HG_SCHEMA_TYPE(int, IntegerOf<int> type);
HG_SCHEMA_TYPE(std::uint16_t, IntegerOf<std::uint16_t> type);
HG_SCHEMA_TYPE(std::uint32_t, IntegerOf<std::uint32_t> type);
HG_SCHEMA_TYPE(std::uint64_t, SizeType type);
HG_SCHEMA_TYPE(double, NumberType type);
HG_SCHEMA_TYPE(std::string, TextType type);
HG_SCHEMA_TYPE(Duration, DurationType type);
HG_SCHEMA_TYPE(Timestamp, TimestampType type);
HG_SCHEMA_TYPE(Secret, SecretType type{true});

template <>
struct TypeOf<std::map<std::string, std::string>> {
  static const Type& get() {
    static const TextMapOf type;
    return type;
  }
};
template <>
struct TypeOf<std::vector<std::pair<std::string, std::string>>> {
  static const Type& get() {
    static const TextPairsOf type;
    return type;
  }
};
template <class T>
struct TypeOf<std::vector<T>> {
  static const Type& get() {
    static const ListOf<T> type(type_of<T>());
    return type;
  }
};
template <class T>
struct TypeOf<std::optional<T>> {
  static const Type& get() {
    static const OptionalOf<T> type(type_of<T>());
    return type;
  }
};

}  // namespace headgate::schema
