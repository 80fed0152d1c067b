// SPDX-License-Identifier: MIT
// Log: what readers and writers do. recovery.cc has what happens at the start.
//
// Of the open region: [0, flushed_) is on the device, buffer_ is what follows. A flush writes whole
// blocks; the last one may be written again with more in it, and the same octets before that, so a
// torn write takes nothing away.
#include "appliance/cache/disk/log.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "appliance/base/hash.h"
#include "appliance/cache/disk/random.h"

namespace headgate::cache::disk {
namespace {

/// Of a region, what may be written a second time: write amplification stays below 1.25.
constexpr std::uint64_t kReinsertedPart = 6;
constexpr std::uint64_t kNone = UINT64_MAX;

std::uint32_t units(std::uint64_t octets) {
  return static_cast<std::uint32_t>(octets / kRecordUnit);
}

std::uint32_t crc_of_content(std::string_view key, std::string_view value) {
  return base::crc32c(value, base::crc32c(key));
}

}  // namespace

std::uint64_t Log::hash_of(std::string_view key) const {
  return XXH3_64bits_withSeed(key.data(), key.size(), superblock_.hash_seed);
}

std::uint64_t Log::region_offset(std::uint32_t region) const {
  return 2 * kSuperblockBytes + region * options_.region_bytes;
}

std::uint64_t Log::max_value_bytes() const {
  // A length has 14 bits; and a record may not take more than a quarter of a region.
  return std::min<std::uint64_t>(((1 << 14) - 2) * kRecordUnit, options_.region_bytes / 4);
}

bool Log::checked(Status status) {
  if (status) return true;
  note_error(status.error());
  return false;
}

void Log::note_error(const Error& error) {
  if (errors_.fetch_add(1) + 1 != options_.max_errors) return;
  off_.store(true);
  index_.clear();
  const base::MutexLock lock(reason_mutex_);
  reason_ = error.context;
}

std::optional<Log::Wanted> Log::want(std::string_view key) {
  if (is_off()) return std::nullopt;
  const std::uint64_t hash = hash_of(key);
  const std::optional<Place> place = index_.find(hash);
  if (!place) return std::nullopt;
  return wanted_at(*place, hash);
}

/// A record's octets and what is around them in their blocks.
Log::Wanted Log::wanted_at(const Place& place, std::uint64_t hash) const {
  const std::uint64_t first = place.offset * kRecordUnit;
  const std::uint64_t from = first / Device::kBlockBytes * Device::kBlockBytes;
  const std::uint64_t to = round_up(first + place.length * kRecordUnit, Device::kBlockBytes);
  return {.offset = region_offset(place.region) + from,
          .bytes = to - from,
          .hash = hash,
          .life = regions_[place.region].life.load(),
          .place = place};
}

std::optional<Record> Log::take(const Wanted& wanted, std::string_view key, Status read,
                                std::string_view octets) {
  if (!checked(std::move(read))) return std::nullopt;
  return take_verified(wanted, key, octets, nullptr);
}

std::optional<Record> Log::read(std::string_view key) {
  const auto wanted = want(key);
  return wanted ? read_wanted(*wanted, key) : std::nullopt;
}

bool Log::contains(std::string_view key) const {
  return !is_off() && index_.contains(hash_of(key));
}

void Log::forget(std::string_view key) { index_.erase(hash_of(key), recovering_); }

std::optional<Record> Log::read_wanted(const Wanted& wanted, std::string_view key,
                                       std::string* found_key) {
  std::string octets(wanted.bytes, '\0');
  if (!checked(device_.read(wanted.offset, octets))) return std::nullopt;
  return take_verified(wanted, key, octets, found_key);
}

/// `found_key`: any key is right, and put there. What is not a whole record leaves the index.
std::optional<Record> Log::take_verified(const Wanted& wanted, std::string_view key,
                                         std::string_view octets, std::string* found_key) {
  const Place& place = wanted.place;
  const std::uint64_t hash = wanted.hash;
  const std::uint64_t life = wanted.life;
  const std::uint64_t length = place.length * kRecordUnit;
  const std::uint64_t before = place.offset * kRecordUnit % Device::kBlockBytes;
  if (octets.size() < before + length) return std::nullopt;
  const std::string_view record = octets.substr(before, length);
  RecordHeader header;
  const bool whole = unseal(record, header) && header.life == life && header.hash == hash &&
                     header.kind == RecordKind::Value &&
                     record_bytes(header.key_bytes, header.value_bytes) <= length;
  const std::string_view stored_key =
      whole ? record.substr(sizeof(header), header.key_bytes) : std::string_view();
  const std::string_view value =
      whole ? record.substr(sizeof(header) + header.key_bytes, header.value_bytes)
            : std::string_view();
  if (!whole || crc_of_content(stored_key, value) != header.content_crc) {
    // Its region may have begun anew since: then nothing is wrong.
    if (regions_[place.region].life.load() == life && index_.erase_at(hash, place))
      damaged_.fetch_add(1);
    return std::nullopt;
  }
  if (found_key != nullptr)
    *found_key = stored_key;
  else if (stored_key != key)
    return std::nullopt;
  return Record{.value = std::string(value), .epoch = header.epoch};
}

bool Log::append(std::string_view key, std::string_view value, std::uint64_t epoch) {
  if (key.size() + value.size() > max_value_bytes() || is_off() || !headers_known_) return false;
  const base::MutexLock lock(mutex_);
  return append_locked(RecordKind::Value, key, value, epoch);
}

void Log::remove(std::string_view key) {
  if (is_off()) return;
  const base::MutexLock lock(mutex_);
  const std::uint64_t hash = hash_of(key);
  for (Pending& pending : pending_) pending.is_value = pending.is_value && pending.hash != hash;
  index_.erase(hash, recovering_);
  if (!headers_known_) {
    early_removals_.emplace_back(key);
    return;
  }
  // Also what is not in the index may be on the disk: a record that this one's hash displaced.
  while (!is_off() && !(append_locked(RecordKind::Gone, key, {}, kNone) && flush_locked())) {
  }
}

void Log::flush() {
  const base::MutexLock lock(mutex_);
  if (!is_off()) flush_locked();
}

void Log::sync() {
  flush();
  if (!is_off()) static_cast<void>(checked(device_.sync()));
}

bool Log::append_locked(RecordKind kind, std::string_view key, std::string_view value,
                        std::uint64_t epoch) {
  const std::uint64_t bytes = record_bytes(key.size(), value.size());
  const auto has_room = [&]() REQUIRES(mutex_) {
    return flushed_ + buffer_.size() + bytes + footer_bytes(footer_.size() + 1) <=
           options_.region_bytes;
  };
  if (open_ && !has_room()) seal_locked();
  if (!open_ && !open_region_locked()) return false;
  if (!has_room()) return false;

  const std::uint64_t hash = hash_of(key);
  RecordHeader header;
  header.kind = kind;
  header.key_bytes = static_cast<std::uint32_t>(key.size());
  header.value_bytes = static_cast<std::uint32_t>(value.size());
  header.life = regions_[*open_].life;
  header.hash = hash;
  header.epoch = epoch;
  header.content_crc = crc_of_content(key, value);
  const Place place{
      .region = *open_, .offset = units(flushed_ + buffer_.size()), .length = units(bytes)};
  const std::size_t end = buffer_.size() + bytes;
  buffer_ += sealed(header);
  buffer_ += key;
  buffer_ += value;
  buffer_.resize(end, '\0');
  footer_.push_back({.hash = hash,
                     .offset = place.offset,
                     .length = static_cast<std::uint16_t>(place.length),
                     .kind = kind});
  auto& oldest = regions_[*open_].oldest_epoch;
  oldest.store(std::min(oldest.load(), epoch));
  appended_bytes_.fetch_add(bytes);
  if (kind == RecordKind::Value) {
    // What the key had is not to be found any more, this not yet.
    index_.erase(hash, recovering_);
    for (Pending& pending : pending_) pending.is_value = pending.is_value && pending.hash != hash;
    pending_.push_back({.hash = hash, .place = place, .is_value = true});
  }
  if (buffer_.size() >= options_.buffer_bytes) flush_locked();
  return true;
}

bool Log::write_locked(std::uint64_t offset, std::string_view blocks) {
  if (blocks.empty()) return true;
  written_bytes_.fetch_add(blocks.size());
  if (checked(device_.write(region_offset(*open_) + offset, blocks))) return true;
  abandon_region_locked();
  return false;
}

/// Whatever has come of the last write: nothing more goes there.
void Log::abandon_region_locked() {
  pending_.clear();
  buffer_.clear();
  footer_.clear();
  open_.reset();
}

/// What was written can be found.
void Log::publish_locked() {
  for (const Pending& pending : pending_)
    if (pending.is_value) index_.put(pending.hash, pending.place);
  pending_.clear();
}

bool Log::flush_locked() {
  if (!open_ || flushed_ + buffer_.size() == written_) return true;
  const std::uint64_t end = flushed_ + buffer_.size();
  std::string blocks = buffer_;
  blocks.resize(round_up(blocks.size(), Device::kBlockBytes), '\0');
  if (!write_locked(flushed_, blocks)) return false;
  publish_locked();
  const std::uint64_t whole_blocks = buffer_.size() / Device::kBlockBytes * Device::kBlockBytes;
  buffer_.erase(0, whole_blocks);
  flushed_ += whole_blocks;
  written_ = end;
  return true;
}

/// The footer lies right behind the records, the trailer in the last unit of the region.
void Log::seal_locked() {
  Trailer trailer;
  trailer.entries = static_cast<std::uint32_t>(footer_.size());
  trailer.life = regions_[*open_].life;
  trailer.oldest_epoch = regions_[*open_].oldest_epoch;
  trailer.footer_offset = units(flushed_ + buffer_.size());
  const std::string_view entries(reinterpret_cast<const char*>(footer_.data()),
                                 footer_.size() * sizeof(FooterEntry));
  trailer.footer_crc = base::crc32c(entries);
  buffer_ += entries;
  const std::uint64_t last_block = options_.region_bytes - Device::kBlockBytes;
  std::string end(Device::kBlockBytes - kRecordUnit, '\0');
  end += sealed(trailer);
  end.resize(Device::kBlockBytes, '\0');
  if (flushed_ + buffer_.size() > last_block) {
    // They share the last block.
    const std::size_t shared = flushed_ + buffer_.size() - last_block;
    end.replace(0, shared, buffer_, buffer_.size() - shared, shared);
    buffer_.resize(buffer_.size() - shared);
  }
  buffer_.resize(round_up(buffer_.size(), Device::kBlockBytes), '\0');
  if (!write_locked(flushed_, buffer_) || !write_locked(last_block, end)) return;
  publish_locked();
  abandon_region_locked();
}

/// The oldest region begins anew; what was used in it goes around. It may hold removals of what an
/// older region held: that one must have begun anew for good, whatever order the device writes in.
bool Log::open_region_locked() {
  if (is_off() || !checked(device_.sync())) return false;
  std::uint32_t region = 0;
  for (std::uint32_t i = 1; i < superblock_.region_count; ++i)
    if (regions_[i].sequence < regions_[region].sequence) region = i;
  std::vector<Survivor> survivors = reclaim_locked(region);
  RegionHeader header;
  header.device_id = superblock_.device_id;
  header.sequence = ++last_sequence_;
  header.life = random_number();
  regions_[region].sequence = header.sequence;
  regions_[region].life = header.life;
  regions_[region].oldest_epoch = kNone;
  open_ = region;
  flushed_ = 0;
  written_ = 0;
  buffer_ = sealed(header);
  buffer_.resize(kRegionHeaderBytes, '\0');
  const std::uint64_t before = appended_bytes_;
  for (const Survivor& survivor : survivors)
    if (!open_ || !append_locked(RecordKind::Value, survivor.key, survivor.record.value,
                                 survivor.record.epoch))
      break;
  reinserted_bytes_.fetch_add(appended_bytes_ - before);
  appended_bytes_.store(before);
  return open_.has_value();
}

/// Takes everything in the region out of the index, and returns what deserves another round.
std::vector<Log::Survivor> Log::reclaim_locked(std::uint32_t region) {
  std::vector<Survivor> survivors;
  if (regions_[region].sequence == 0) return survivors;
  std::uint64_t oldest_epoch = 0;
  const auto entries = read_footer(region, oldest_epoch);
  if (!entries) {
    index_.erase_region(region);
    return survivors;
  }
  std::uint64_t room = options_.region_bytes / kReinsertedPart;
  for (const FooterEntry& entry : *entries) {
    if (entry.kind != RecordKind::Value) continue;
    const Place place{.region = region, .offset = entry.offset, .length = entry.length};
    const std::optional<unsigned> uses = index_.take_uses(entry.hash, place);
    if (!uses) continue;
    const std::uint64_t bytes = entry.length * kRecordUnit;
    if (*uses > 0 && bytes <= room) {
      Survivor survivor;
      auto record = read_wanted(wanted_at(place, entry.hash), {}, &survivor.key);
      if (record && (!options_.may_go_around || options_.may_go_around(*this, record->value))) {
        survivor.record = std::move(*record);
        survivors.push_back(std::move(survivor));
        room -= bytes;
      }
    }
    index_.erase_at(entry.hash, place);
  }
  return survivors;
}

std::uint64_t Log::oldest_epoch() const {
  if (recovering_) return 0;
  const base::MutexLock lock(mutex_);  // nothing is on its way around
  std::uint64_t oldest = kNone;
  for (std::uint32_t i = 0; i < superblock_.region_count; ++i)
    if (regions_[i].sequence != 0) oldest = std::min(oldest, regions_[i].oldest_epoch.load());
  return oldest;
}

std::string Log::off_because() const {
  const base::MutexLock lock(reason_mutex_);
  return reason_;
}

LogStats Log::stats() const {
  return {.records = index_.size(),
          .index_bytes = index_.memory_bytes(),
          .appended_bytes = appended_bytes_,
          .reinserted_bytes = reinserted_bytes_,
          .written_bytes = written_bytes_,
          .damaged = damaged_,
          .errors = errors_};
}

}  // namespace headgate::cache::disk
