// SPDX-License-Identifier: MIT
// From a client's address to its country, by the operator's MMDB file.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/ip_address.h"
#include "schema/base/result.h"

namespace headgate::guard {

/// ISO 3166-1 alpha-2 in upper case, or unknown.
class Country {
 public:
  Country() = default;
  explicit Country(std::string_view code);  ///< anything but two letters is unknown
  bool known() const { return code_[0] != 0; }
  std::string_view text() const { return known() ? std::string_view(code_.data(), 2) : ""; }
  /// 0 for AA to 675 for ZZ; of a known country only.
  std::size_t index() const;
  friend bool operator==(const Country&, const Country&) = default;

 private:
  std::array<char, 2> code_{};
};

/// Both layouts: MaxMind's `country.iso_code` and the flat `country_code`. In memory; look-ups
/// do not allocate. Threads: any, const.
class GeoDatabase {
 public:
  virtual ~GeoDatabase() = default;
  /// Errors: Blame::Config with the path and what is wrong with the file.
  static Result<std::shared_ptr<const GeoDatabase>> open(const std::string& path);
  virtual Country country(const base::IpAddress& address) const = 0;
  /// The number of the autonomous system (`autonomous_system_number`), where the file has them; 0:
  /// unknown.
  virtual std::uint32_t asn(const base::IpAddress& address) const = 0;
};

/// The operator's file, which others replace while we run. Threads: one at a time.
class GeoFile {
 public:
  explicit GeoFile(std::string path) : path_(std::move(path)) {}
  /// The database; opened again, and thus another one, when the file is not the same any more.
  /// Errors: as GeoDatabase::open; what was opened before stays what it is.
  Result<std::shared_ptr<const GeoDatabase>> open();

 private:
  struct Identity {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t size = -1;
    std::int64_t modified_ns = 0;
    friend bool operator==(const Identity&, const Identity&) = default;
  };
  std::string path_;
  Identity identity_;
  std::shared_ptr<const GeoDatabase> database_;
};

/// `restrictions.geo`, compiled.
class GeoRule {
 public:
  enum class Type { None, Whitelist, Blacklist };
  GeoRule() = default;
  GeoRule(Type type, const std::vector<std::string>& locations, bool allow_unknown);
  bool restricts() const { return type_ != Type::None; }
  bool allows(Country country) const;

 private:
  Type type_ = Type::None;
  std::array<std::uint64_t, 11> countries_{};  ///< a bit for each of 26 × 26 codes
  bool allow_unknown_ = true;
};

}  // namespace headgate::guard
