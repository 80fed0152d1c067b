// SPDX-License-Identifier: MIT
// How a C++ type is written in YAML: one Type decodes it, encodes it, and describes itself to the
// JSON Schema and the reference.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schema/encode.h"
#include "schema/table/decoder.h"

namespace headgate::schema {

class ObjectType;

/// The form of a text: a name for people, a pattern for editors, a check that has the last word and
/// may rewrite (case).
struct Format {
  const char* name;     ///< "host name"
  const char* pattern;  ///< ECMA-262, may accept more than the check; null: none
  /// Empty when `text` has the form (then rewritten to its canonical spelling), else what is
  /// expected.
  std::string (*check)(std::string& text);
};

/// What a field asks of its value beyond the type. On a list, all but the item counts hold for each
/// item.
struct Constraint {
  std::optional<std::int64_t>
      minimum;  ///< of a number; milliseconds of a duration; octets of a size
  std::optional<std::int64_t> maximum;
  std::size_t min_items = 0;
  std::size_t max_items = std::numeric_limits<std::size_t>::max();
  std::size_t max_length = std::numeric_limits<std::size_t>::max();  ///< octets of a text
  bool unique = false;
  std::vector<int> numbers;  ///< the only ones allowed; empty: any
  const Format* format = nullptr;
  const Format* key_format = nullptr;  ///< of a map's keys
};

/// Shared parts of a JSON Schema: objects are defined once and referred to.
class SchemaWriter {
 public:
  /// A `$ref` to the definition of `object`, which is made on first use.
  Json reference(const ObjectType& object);
  Json take_definitions() { return std::move(definitions_); }

 private:
  Json definitions_ = Json::object();
};

class Type {
 public:
  virtual ~Type() = default;
  /// Reads `node` into `*out`, which holds the default; reports what is wrong and then leaves
  /// `*out` usable. False after an error.
  virtual bool decode(const Node& node, void* out, const Constraint& constraint,
                      Decoder& decoder) const = 0;
  /// null: absent.
  virtual Json encode(const void* value, const EncodeOptions& options) const = 0;
  virtual Json json_schema(const Constraint& constraint, SchemaWriter& writer) const = 0;
  /// For the reference: "list of host names".
  virtual std::string label(const Constraint& constraint) const = 0;
  /// The object that this type is, or is a list of; null for others.
  virtual const ObjectType* object() const { return nullptr; }
  /// All objects that it may be, for the reference.
  virtual std::vector<const ObjectType*> objects() const {
    if (object() == nullptr) return {};
    return {object()};
  }
};

/// How T is written; one instance per type.
template <class T>
const Type& type_of();

/// Reports that `node` is not `expected` ("a whole number").
void wrong_type(const Node& node, std::string_view expected, Decoder& decoder,
                std::string hint = {});

/// "`httpPort`", or "an item of `members`": how a message names the value.
std::string subject(const Node& node, const Decoder& decoder);

}  // namespace headgate::schema
