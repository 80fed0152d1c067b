// SPDX-License-Identifier: MIT
// What a distribution says of compression: which types, and how hard.
#pragma once

#include <string_view>
#include <vector>

#include "appliance/compress/eligibility.h"
#include "appliance/compress/encoder.h"
#include "schema/model/distribution.h"

namespace headgate::snapshot {

/// Threads: immutable.
class Compression {
 public:
  explicit Compression(const schema::Compression& source = {});

  const compress::TypeSet& types() const { return types_; }
  /// Of the first rule for the type, where it says so; else the defaults.
  compress::Levels levels(std::string_view content_type) const;

 private:
  struct Rule {
    compress::TypeSet types;
    compress::Levels levels;
  };
  compress::TypeSet types_;
  std::vector<Rule> rules_;
};

}  // namespace headgate::snapshot
