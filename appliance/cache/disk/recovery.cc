// SPDX-License-Identifier: MIT
// Log: what is found on the device at the start. From the newest region to the oldest, and in each
// from its end to its beginning, so that whatever is known already is newer: what is stored and
// removed meanwhile, too.
#include <algorithm>
#include <cstring>
#include <utility>

#include "appliance/base/hash.h"
#include "appliance/cache/disk/log.h"
#include "appliance/cache/disk/random.h"

namespace headgate::cache::disk {
namespace {

Result<std::optional<Superblock>> read_superblock(Device& device, std::uint64_t offset) {
  std::string octets(kSuperblockBytes, '\0');
  HG_CHECK(device.read(offset, octets), "reading the superblock");
  Superblock found;
  if (!unseal(octets, found)) return std::optional<Superblock>();
  return std::optional<Superblock>(found);
}

Status write_superblock(Device& device, std::uint64_t offset, const Superblock& superblock) {
  std::string octets = sealed(superblock);
  octets.resize(kSuperblockBytes, '\0');
  HG_CHECK(device.write(offset, octets), "writing the superblock");
  HG_CHECK(device.sync(), "writing the superblock");
  return {};
}

}  // namespace

Result<std::unique_ptr<Log>> Log::open(Device& device, const Options& options) {
  const std::uint64_t count =
      device.size_bytes() < 2 * kSuperblockBytes
          ? 0
          : (device.size_bytes() - 2 * kSuperblockBytes) / options.region_bytes;
  if (count < 2)
    return fail(Blame::Config, "{} octets are too few: at least two regions of {} are needed",
                device.size_bytes(), options.region_bytes);
  Superblock wanted;
  wanted.region_count =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(count, Index::kMaxRegions));
  wanted.region_bytes = options.region_bytes;
  wanted.ledger_id = options.ledger_id;
  std::optional<Superblock> last;
  for (const std::uint64_t offset : {std::uint64_t{0}, kSuperblockBytes}) {
    HG_TRY(const std::optional<Superblock> found, read_superblock(device, offset), "opening");
    if (found && found->version == wanted.version && found->region_count == wanted.region_count &&
        found->region_bytes == wanted.region_bytes && found->ledger_id == wanted.ledger_id &&
        (!last || found->runs > last->runs))
      last = found;
  }
  if (last) {
    wanted = *last;
  } else {
    // The regions' headers name the device's id: what they hold is foreign now.
    wanted.device_id = random_number();
    wanted.hash_seed = random_number();
  }
  ++wanted.runs;
  HG_CHECK(write_superblock(device, 0, wanted), "opening");
  HG_CHECK(write_superblock(device, kSuperblockBytes, wanted), "opening");
  return std::unique_ptr<Log>(new Log(device, options, wanted));
}

Log::Log(Device& device, const Options& options, const Superblock& superblock)
    : device_(device),
      options_(options),
      superblock_(superblock),
      regions_(std::make_unique<Region[]>(superblock.region_count)) {}

Log::~Log() {
  stop();
  flush();
}

void Log::stop() { stopping_ = true; }

void Log::recover() {
  if (!read_headers()) return;
  std::vector<std::pair<std::uint64_t, std::uint32_t>> order;
  for (std::uint32_t i = 0; i < superblock_.region_count; ++i)
    if (const std::uint64_t sequence = regions_[i].sequence; sequence != 0)
      order.emplace_back(sequence, i);
  std::sort(order.rbegin(), order.rend());
  {
    const base::MutexLock lock(mutex_);
    headers_known_ = true;
    for (const std::string& key : std::exchange(early_removals_, {}))
      append_locked(RecordKind::Gone, key, {}, UINT64_MAX);
    flush_locked();
  }
  for (const auto& [sequence, region] : order) {
    if (stopping_ || is_off()) return;
    if (regions_[region].sequence == sequence) recover_region(region);
  }
  index_.forget_gone();
  recovering_ = false;
}

/// False when stopped or off.
bool Log::read_headers() {
  std::string octets(Device::kBlockBytes, '\0');
  std::uint64_t last = 0;
  for (std::uint32_t i = 0; i < superblock_.region_count; ++i) {
    if (stopping_ || is_off()) return false;
    RegionHeader header;
    if (!checked(device_.read(region_offset(i), octets)) || !unseal(octets, header) ||
        header.device_id != superblock_.device_id)
      continue;
    regions_[i].sequence = header.sequence;
    regions_[i].life = header.life;
    last = std::max(last, header.sequence);
  }
  const base::MutexLock lock(mutex_);
  last_sequence_ = last;
  return !is_off();
}

void Log::recover_region(std::uint32_t region) {
  std::uint64_t oldest_epoch = 0;
  auto entries = read_footer(region, oldest_epoch);
  if (!entries) entries = walk(region, oldest_epoch);
  regions_[region].oldest_epoch = oldest_epoch;
  for (auto entry = entries->rbegin(); entry != entries->rend(); ++entry) {
    const Place place{.region = region, .offset = entry->offset, .length = entry->length};
    index_.put_older(entry->hash, place, entry->kind == RecordKind::Gone);
  }
}

std::optional<std::vector<FooterEntry>> Log::read_footer(std::uint32_t region,
                                                         std::uint64_t& oldest_epoch) {
  const std::uint64_t start = region_offset(region);
  std::string octets(Device::kBlockBytes, '\0');
  Trailer trailer;
  if (!checked(device_.read(start + options_.region_bytes - octets.size(), octets)) ||
      !unseal(std::string_view(octets).substr(octets.size() - kRecordUnit), trailer) ||
      trailer.life != regions_[region].life)
    return std::nullopt;
  const std::uint64_t first = trailer.footer_offset * kRecordUnit;
  const std::uint64_t length = trailer.entries * sizeof(FooterEntry);
  if (first + length > options_.region_bytes - kRecordUnit) return std::nullopt;
  const std::uint64_t from = first / Device::kBlockBytes * Device::kBlockBytes;
  octets.resize(round_up(first + length, Device::kBlockBytes) - from);
  if (!checked(device_.read(start + from, octets))) return std::nullopt;
  const std::string_view footer = std::string_view(octets).substr(first - from, length);
  if (base::crc32c(footer) != trailer.footer_crc) return std::nullopt;
  std::vector<FooterEntry> entries(trailer.entries);
  if (length > 0) std::memcpy(entries.data(), footer.data(), length);
  oldest_epoch = trailer.oldest_epoch;
  return entries;
}

/// Of a region that was not sealed: record by record, up to the first that is not whole. Takes a
/// region's octets of memory for as long.
std::vector<FooterEntry> Log::walk(std::uint32_t region, std::uint64_t& oldest_epoch) {
  std::vector<FooterEntry> entries;
  oldest_epoch = UINT64_MAX;
  const std::uint64_t life = regions_[region].life;
  std::string octets(options_.region_bytes, '\0');
  if (!checked(device_.read(region_offset(region), octets))) return entries;
  for (std::uint64_t at = kRegionHeaderBytes; at < octets.size();) {
    const std::string_view rest = std::string_view(octets).substr(at);
    RecordHeader header;
    if (!unseal(rest, header) || header.life != life) break;
    const std::uint64_t length = record_bytes(header.key_bytes, header.value_bytes);
    if (length > rest.size()) break;
    const std::string_view content =
        rest.substr(sizeof(header), std::uint64_t{header.key_bytes} + header.value_bytes);
    if (base::crc32c(content) != header.content_crc) break;
    entries.push_back({.hash = header.hash,
                       .offset = static_cast<std::uint32_t>(at / kRecordUnit),
                       .length = static_cast<std::uint16_t>(length / kRecordUnit),
                       .kind = header.kind});
    oldest_epoch = std::min(oldest_epoch, header.epoch);
    at += length;
  }
  return entries;
}

}  // namespace headgate::cache::disk
