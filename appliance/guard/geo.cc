// SPDX-License-Identifier: MIT
// Countries from an MMDB file, by libmaxminddb; the only file that knows that library.
#include "appliance/guard/geo.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <maxminddb.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <unordered_set>

namespace headgate::guard {
namespace {

// Where the country is: MaxMind's GeoIP2/GeoLite2 (also City), and the flat records of
// ip-location-db and others.
const char* const kNestedPath[] = {"country", "iso_code", nullptr};
const char* const kFlatPath[] = {"country_code", nullptr};

char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }
bool is_letter(char c) { return upper(c) >= 'A' && upper(c) <= 'Z'; }

struct Mapped {
  Mapped() = default;
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;
  ~Mapped() {
    if (open) MMDB_close(&mmdb);
  }
  MMDB_s mmdb{};
  bool open = false;
};

/// A file in memory that no other process knows, and what `path` is now in it: libmaxminddb maps
/// what it opens, and requests would be killed (SIGBUS) when somebody writes into that, as cp does.
/// -1 with errno.
int copy_into_memory(const std::string& path) {
  const int from = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (from < 0) return -1;
  const int copy = ::memfd_create("geoip", MFD_CLOEXEC);
  ssize_t sent = copy < 0 ? -1 : 1;
  while (sent > 0) sent = ::sendfile(copy, from, nullptr, std::size_t{1} << 24);
  const int error = errno;
  ::close(from);
  if (sent == 0) return copy;
  if (copy >= 0) ::close(copy);
  errno = error;
  return -1;
}

enum class Lookup { Found, NoCountry, Corrupt };

Lookup country_of(MMDB_entry_s entry, Country& out) {
  for (const char* const* path : {kNestedPath, kFlatPath}) {
    MMDB_entry_data_s data;
    const int status = MMDB_aget_value(&entry, &data, path);
    if (status == MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR) continue;
    if (status != MMDB_SUCCESS) return Lookup::Corrupt;
    if (!data.has_data || data.type != MMDB_DATA_TYPE_UTF8_STRING) continue;
    out = Country(std::string_view(data.utf8_string, data.data_size));
    if (out.known()) return Lookup::Found;
  }
  return Lookup::NoCountry;
}

/// Reads the whole tree once, and each kind of record up to a bound, so that a damaged file is
/// refused when it is opened and not noticed as unknown countries later. A country database takes
/// about 20 ms.
Status verify(const MMDB_s& mmdb) {
  constexpr std::size_t kMaxRecords = 20'000;
  std::unordered_set<std::uint64_t> seen;
  bool has_country = false;
  for (std::uint32_t number = 0; number < mmdb.metadata.node_count; ++number) {
    MMDB_search_node_s node;
    if (const int status = MMDB_read_node(&mmdb, number, &node); status != MMDB_SUCCESS) {
      return fail(Blame::Config, "node {} of its search tree: {}", number, MMDB_strerror(status));
    }
    for (const bool left : {true, false}) {
      const auto type = left ? node.left_record_type : node.right_record_type;
      if (type == MMDB_RECORD_TYPE_INVALID) {
        return fail(Blame::Config, "node {} of its search tree points outside of the file", number);
      }
      if (type != MMDB_RECORD_TYPE_DATA || seen.size() >= kMaxRecords) continue;
      const auto& entry = left ? node.left_record_entry : node.right_record_entry;
      if (!seen.insert(entry.offset).second) continue;
      Country country;
      const auto lookup = country_of(entry, country);
      if (lookup == Lookup::Corrupt) {
        return fail(Blame::Config, "the record at offset {} of its data is damaged", entry.offset);
      }
      has_country = has_country || lookup == Lookup::Found;
    }
  }
  if (!has_country) {
    return fail(Blame::Config,
                "no record of it has a country (country.iso_code or country_code); is it a country "
                "or city database?");
  }
  return {};
}

class MmdbDatabase final : public GeoDatabase {
 public:
  explicit MmdbDatabase(std::unique_ptr<Mapped> file) : file_(std::move(file)) {}

  Country country(const base::IpAddress& address) const override {
    const auto result = look_up(address);
    Country country;
    if (!result.found_entry) return {};
    MMDB_entry_s entry = result.entry;
    if (country_of(entry, country) != Lookup::Found) return {};
    return country;
  }

  std::uint32_t asn(const base::IpAddress& address) const override {
    auto result = look_up(address);
    if (!result.found_entry) return 0;
    MMDB_entry_data_s data{};
    if (MMDB_get_value(&result.entry, &data, "autonomous_system_number", nullptr) != MMDB_SUCCESS ||
        !data.has_data || data.type != MMDB_DATA_TYPE_UINT32)
      return 0;
    return data.uint32;
  }

 private:
  MMDB_lookup_result_s look_up(const base::IpAddress& address) const {
    int error = MMDB_SUCCESS;
    MMDB_lookup_result_s result{};
    if (address.is_v4()) {
      sockaddr_in v4{};
      v4.sin_family = AF_INET;
      std::memcpy(&v4.sin_addr, address.octets().data(), 4);
      result = MMDB_lookup_sockaddr(&file_->mmdb, reinterpret_cast<const sockaddr*>(&v4), &error);
    } else if (address.is_v6() && file_->mmdb.metadata.ip_version == 6) {
      sockaddr_in6 v6{};
      v6.sin6_family = AF_INET6;
      std::memcpy(&v6.sin6_addr, address.octets().data(), 16);
      result = MMDB_lookup_sockaddr(&file_->mmdb, reinterpret_cast<const sockaddr*>(&v6), &error);
    }
    if (error != MMDB_SUCCESS) result.found_entry = false;
    return result;
  }

  std::unique_ptr<Mapped> file_;
};

}  // namespace

Country::Country(std::string_view code) {
  if (code.size() != 2 || !is_letter(code[0]) || !is_letter(code[1])) return;
  code_ = {upper(code[0]), upper(code[1])};
}

std::size_t Country::index() const {
  return static_cast<std::size_t>((code_[0] - 'A') * 26 + (code_[1] - 'A'));
}

Result<std::shared_ptr<const GeoDatabase>> GeoDatabase::open(const std::string& path) {
  const auto refuse = [&path](const char* why) {
    return fail(Blame::Config, "geo database {}: {}; give a whole MMDB file of countries", path,
                why);
  };
  const int copy = copy_into_memory(path);
  if (copy < 0) return refuse(std::strerror(errno));
  auto file = std::make_unique<Mapped>();
  const std::string name = fmt::format("/proc/self/fd/{}", copy);
  const int status = MMDB_open(name.c_str(), MMDB_MODE_MMAP, &file->mmdb);
  const int error = errno;
  ::close(copy);
  if (status == MMDB_FILE_OPEN_ERROR || status == MMDB_IO_ERROR)
    return refuse(std::strerror(error));
  if (status != MMDB_SUCCESS) return refuse(MMDB_strerror(status));
  file->open = true;
  HG_CHECK(verify(file->mmdb), "geo database {}", path);
  return std::shared_ptr<const GeoDatabase>(std::make_shared<MmdbDatabase>(std::move(file)));
}

GeoRule::GeoRule(Type type, const std::vector<std::string>& locations, bool allow_unknown)
    : type_(type), allow_unknown_(allow_unknown) {
  for (const auto& location : locations) {
    const Country country(location);
    if (!country.known()) continue;  // validated by schema/; a code that is none matches nobody
    countries_[country.index() / 64] |= std::uint64_t{1} << country.index() % 64;
  }
}

bool GeoRule::allows(Country country) const {
  if (type_ == Type::None) return true;
  if (!country.known()) return allow_unknown_;
  const bool listed = countries_[country.index() / 64] >> country.index() % 64 & 1;
  return listed == (type_ == Type::Whitelist);
}

Result<std::shared_ptr<const GeoDatabase>> GeoFile::open() {
  struct stat file {};
  if (stat(path_.c_str(), &file) != 0) return GeoDatabase::open(path_);  // which says why
  const Identity identity{
      .device = file.st_dev,
      .inode = file.st_ino,
      .size = file.st_size,
      .modified_ns = file.st_mtim.tv_sec * std::int64_t{1'000'000'000} + file.st_mtim.tv_nsec};
  if (database_ != nullptr && identity == identity_) return database_;
  auto opened = GeoDatabase::open(path_);
  if (!opened) return opened;
  identity_ = identity;
  return database_ = std::move(*opened);
}

}  // namespace headgate::guard
