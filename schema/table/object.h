// SPDX-License-Identifier: MIT
// A struct as a table of fields: the one description that decoding, encoding, the JSON Schema and
// the reference all read.
#pragma once

#include <functional>
#include <memory>

#include "schema/table/type.h"

namespace headgate::schema {

/// One row of a struct's table.
struct Field {
  std::string name;
  std::string doc;  ///< one sentence
  bool required = false;
  bool reported_elsewhere = false;  ///< required, but the decoder is not the one to say so
  Constraint constraint;
  const Type* type = nullptr;
  std::function<void*(void*)> member;
  Json default_value;                 ///< null: none
  std::string default_text;           ///< instead of default_value in the reference
  std::vector<std::string> synonyms;  ///< also accepted, not shown
  std::string example;
};

/// A field of CloudFront's or of a later version that is refused by name.
struct LaterField {
  std::string name;
  std::string accepted;  ///< the one value that is accepted since it asks for nothing; empty: none
};

/// The table of one struct.
class ObjectType : public Type {
 public:
  bool decode(const Node&, void*, const Constraint&, Decoder&) const override;
  Json encode(const void*, const EncodeOptions&) const override;
  Json json_schema(const Constraint&, SchemaWriter&) const override;
  std::string label(const Constraint&) const override;
  const ObjectType* object() const override { return this; }

  /// The definition itself, where json_schema() refers to it.
  Json definition(SchemaWriter& writer) const;
  const std::string& name() const { return name_; }
  const std::string& doc() const { return doc_; }
  const std::vector<Field>& fields() const { return fields_; }
  bool has_required() const;

 protected:
  explicit ObjectType(std::string name, std::string doc)
      : name_(std::move(name)), doc_(std::move(doc)) {}

  using Check = std::function<void(void*, const Node&, Decoder&)>;
  std::string name_;
  std::string doc_;
  std::vector<Field> fields_;
  std::vector<LaterField> later_;
  std::vector<std::string> one_of_;  ///< at least one is required; empty: no such rule
  std::vector<Check> checks_;
  std::vector<std::unique_ptr<Type>> owned_;

 private:
  const Field* find_field(std::string_view name) const;
  bool decode_child(const Node& child, void* out, Decoder& decoder) const;
  bool report_unknown(const Node& child, Decoder& decoder) const;
};

/// Sets the details of the row that was just added.
class FieldBuilder {
 public:
  explicit FieldBuilder(Field& field) : field_(field) {}
  FieldBuilder& required() {
    return set([](Field& f) { f.required = true; });
  }
  FieldBuilder& reported_elsewhere() {
    return set([](Field& f) { f.reported_elsewhere = true; });
  }
  FieldBuilder& range(std::int64_t low, std::int64_t high) {
    field_.constraint.minimum = low;
    field_.constraint.maximum = high;
    return *this;
  }
  FieldBuilder& range(Duration low, Duration high) { return range(low.count(), high.count()); }
  FieldBuilder& at_least(std::int64_t low) {
    field_.constraint.minimum = low;
    return *this;
  }
  FieldBuilder& items(std::size_t low, std::size_t high = std::numeric_limits<std::size_t>::max()) {
    field_.constraint.min_items = low;
    field_.constraint.max_items = high;
    return *this;
  }
  FieldBuilder& unique() {
    return set([](Field& f) { f.constraint.unique = true; });
  }
  FieldBuilder& one_of(std::vector<int> numbers) {
    field_.constraint.numbers = std::move(numbers);
    return *this;
  }
  FieldBuilder& format(const Format& format) {
    field_.constraint.format = &format;
    return *this;
  }
  FieldBuilder& keys(const Format& format) {
    field_.constraint.key_format = &format;
    return *this;
  }
  FieldBuilder& max_length(std::size_t octets) {
    field_.constraint.max_length = octets;
    return *this;
  }
  FieldBuilder& default_text(std::string text) {
    field_.default_text = std::move(text);
    return *this;
  }
  FieldBuilder& synonym(std::string name) {
    field_.synonyms.push_back(std::move(name));
    return *this;
  }

 private:
  template <class F>
  FieldBuilder& set(F change) {
    change(field_);
    return *this;
  }
  Field& field_;
};

/// The table of T. `void fields(Object<T>&)` fills it.
template <class T>
class Object final : public ObjectType {
 public:
  /// `describe` fills the table; several tables of one T may exist.
  template <class Describe>
  Object(std::string name, std::string doc, Describe describe)
      : ObjectType(std::move(name), std::move(doc)) {
    describe(*this);
    fill_defaults();
  }

  template <class M>
  FieldBuilder field(std::string name, M T::*member, std::string doc) {
    return field(std::move(name), member, type_of<M>(), std::move(doc));
  }

  /// A member that is not written the way its C++ type usually is.
  template <class M>
  FieldBuilder field(std::string name, M T::*member, const Type& type, std::string doc) {
    return add(std::move(name), type, std::move(doc), [member](void* object) {
      return static_cast<void*>(&(static_cast<T*>(object)->*member));
    });
  }

  /// A field that sets several members: its type works on the whole T.
  FieldBuilder whole(std::string name, std::unique_ptr<Type> type, std::string doc) {
    owned_.push_back(std::move(type));
    return add(std::move(name), *owned_.back(), std::move(doc),
               [](void* object) { return object; });
  }

  /// A map in YAML that T has no struct for: its fields are members of T.
  template <class Describe>
  FieldBuilder nest(std::string name, std::string type_name, std::string doc, Describe describe) {
    auto inner = std::make_unique<Object<T>>(std::move(type_name), doc, describe);
    bool required = inner->has_required();
    FieldBuilder builder = whole(std::move(name), std::move(inner), std::move(doc));
    return required ? builder.required() : builder;
  }

  /// One of these fields at least must be there.
  void require_one_of(std::vector<std::string> names) { one_of_ = std::move(names); }

  /// Refused as not supported yet, unless the value is `accepted`.
  void later(std::string name, std::string accepted = {}) {
    later_.push_back({std::move(name), std::move(accepted)});
  }

  /// Runs after every decode, also one with errors: `T&` then holds defaults where something was
  /// wrong.
  template <class F>
  void check(F function) {
    checks_.push_back([function](void* object, const Node& node, Decoder& decoder) {
      function(*static_cast<T*>(object), node, decoder);
    });
  }

 private:
  FieldBuilder add(std::string name, const Type& type, std::string doc,
                   std::function<void*(void*)> member) {
    Field row;
    row.name = std::move(name);
    row.doc = std::move(doc);
    row.type = &type;
    row.member = std::move(member);
    fields_.push_back(std::move(row));
    return FieldBuilder(fields_.back());
  }

  void fill_defaults() {
    T example{};
    EncodeOptions options;
    for (Field& row : fields_) row.default_value = row.type->encode(row.member(&example), options);
  }
};

}  // namespace headgate::schema
