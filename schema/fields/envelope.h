// SPDX-License-Identifier: MIT
// The parts that all documents share: apiVersion, kind, metadata.
#pragma once

#include "schema/table/composite.h"
#include "schema/validate/syntax.h"

namespace headgate::schema {

/// `apiVersion` and `kind`: checked before the table is chosen, so any text passes here.
class ConstantType final : public Type {
 public:
  explicit ConstantType(std::string text) : text_(std::move(text)) {}
  bool decode(const Node&, void*, const Constraint&, Decoder&) const override { return true; }
  Json encode(const void*, const EncodeOptions&) const override { return Json(); }
  Json json_schema(const Constraint&, SchemaWriter&) const override { return {{"const", text_}}; }
  std::string label(const Constraint&) const override { return "`" + text_ + "`"; }

 private:
  std::string text_;
};

enum class Labels { Yes, No };

/// Adds `apiVersion`, `kind` and `metadata` to the table of a document.
template <class T>
void envelope(Object<T>& document, const std::string& kind, Labels labels,
              bool name_required = true) {
  document
      .whole("apiVersion", std::make_unique<ConstantType>("headgate/v1"),
             "Version of the vocabulary.")
      .required()
      .reported_elsewhere();
  document.whole("kind", std::make_unique<ConstantType>(kind), "What the document describes.")
      .required()
      .reported_elsewhere();
  document.nest("metadata", kind + "Metadata", "Name of the resource.", [&](Object<T>& metadata) {
    FieldBuilder name =
        metadata.field("name", &T::name, "Identity of the resource, unique within its kind.");
    name.format(kResourceName);
    if (name_required) name.required();
    if constexpr (requires(T & t) { t.labels; }) {
      if (labels == Labels::Yes)
        metadata.field("labels", &T::labels, "Free names and values, shown in status and metrics.");
    }
  });
}

}  // namespace headgate::schema
