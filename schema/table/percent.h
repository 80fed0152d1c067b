// SPDX-License-Identifier: MIT
// Shares, written as `0.5%`.
#pragma once

#include "schema/table/type.h"

namespace headgate::schema {

/// In a double: 0.5 is `0.5%`. A number without the sign is refused: nobody could tell what 0.5 is.
class PercentType final : public Type {
 public:
  bool decode(const Node&, void*, const Constraint&, Decoder&) const override;
  Json encode(const void*, const EncodeOptions&) const override;
  Json json_schema(const Constraint&, SchemaWriter&) const override;
  std::string label(const Constraint&) const override;
};

}  // namespace headgate::schema
