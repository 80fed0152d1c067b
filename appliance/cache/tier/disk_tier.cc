// SPDX-License-Identifier: MIT
// Keys of records: 'r' and a key's text has a response, or the fields that its responses vary by;
// 'v', the text's length, the text and their values has a variant; 'u', the distribution's length,
// the distribution and a path has a mark that an unsafe method has changed it.
#include "appliance/cache/tier/disk_tier.h"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <csignal>
#include <optional>
#include <utility>

#include "appliance/base/background.h"
#include "appliance/cache/tier/stored_form.h"
#include "appliance/http/vary.h"

namespace headgate::cache {
namespace {

constexpr std::uint64_t kLeastRegion = std::uint64_t{8} << 20;  ///< a slice fits
constexpr std::uint64_t kLargestRegion = std::uint64_t{64} << 20;
/// A small disk has small regions: one at a time begins anew, and takes what was in it along.
constexpr std::uint64_t kRegions = 8;
constexpr std::uint64_t kBuffers = 16;  ///< of a region
constexpr int kNice = 10;

std::string of_length(char kind, std::string_view text) {
  const auto size = static_cast<std::uint32_t>(text.size());
  std::string key(1, kind);
  key.append(reinterpret_cast<const char*>(&size), sizeof size);
  key += text;
  return key;
}

std::string plain_key(std::string_view text) { return 'r' + std::string(text); }

std::string variant_key(std::string_view text, const std::vector<std::string>& names,
                        http::Fields request) {
  std::string key = of_length('v', text);
  http::append_vary_key(key, names, request);
  return key;
}

std::string mark_key(std::string_view distribution, std::string_view path) {
  return of_length('u', distribution).append(path);
}

/// Under which `response` lies.
std::string key_of(const Key& key, http::Fields request, const StoredResponse& response) {
  const http::Vary vary = http::parse_vary(response.fields());
  return vary.names.empty() ? plain_key(key.text) : variant_key(key.text, vary.names, request);
}

disk::Log::Options log_options(std::uint64_t size_bytes, std::uint64_t ledger_id) {
  disk::Log::Options options;
  options.region_bytes =
      std::clamp(std::bit_floor(size_bytes / kRegions), kLeastRegion, kLargestRegion);
  options.buffer_bytes = options.region_bytes / kBuffers;
  options.ledger_id = ledger_id;
  return options;
}

}  // namespace

/// One `find`, from its beginning to its answer.
struct DiskTier::Search {
  std::string text;
  std::string host;
  http::FieldBlock request;
  base::Loop& loop;
  Done done;
};

Result<std::unique_ptr<DiskTier>> DiskTier::open(Options options) {
  HG_TRY(auto device, disk::FileDevice::open(options.path, options.size_bytes), "cache on disk");
  // A mark outlives what it is about only as long as that does not go around.
  disk::Log::Options of_log = log_options(device->size_bytes(), options.ledger_id);
  of_log.may_go_around = [](const disk::Log& log, std::string_view value) {
    const auto uri = decode_uri(value);
    return !uri || !log.contains(mark_key(uri->distribution, uri->path));
  };
  std::unique_ptr<disk::EncryptedDevice> encrypted;
  if (options.cipher) encrypted = std::make_unique<disk::EncryptedDevice>(*device, *options.cipher);
  disk::Device& of_the_log =
      encrypted != nullptr ? static_cast<disk::Device&>(*encrypted) : *device;
  HG_TRY(auto log, disk::Log::open(of_the_log, of_log), "cache on disk: {}", options.path);
  return std::unique_ptr<DiskTier>(
      new DiskTier(std::move(options), std::move(device), std::move(encrypted), std::move(log)));
}

DiskTier::DiskTier(Options options, std::unique_ptr<disk::FileDevice> device,
                   std::unique_ptr<disk::EncryptedDevice> encrypted, std::unique_ptr<disk::Log> log)
    : options_(std::move(options)),
      device_(std::move(device)),
      encrypted_(std::move(encrypted)),
      log_(std::move(log)),
      writer_(*log_, options_.on_off),
      reads_(disk::make_reads(device_->descriptor(), why_no_ring_)) {
  if (options_.cipher)
    reads_ = std::make_unique<disk::EncryptedReads>(std::move(reads_), *options_.cipher);
}

DiskTier::~DiskTier() { stop(); }

void DiskTier::start(const UriInvalidations& changes) {
  options_.log(
      fmt::format("cache on disk: {} of {} MiB{}, read by {}{}, {} the page cache{}", options_.path,
                  device_->size_bytes() >> 20, options_.cipher ? ", encrypted" : "", reads_->name(),
                  why_no_ring_.empty() ? "" : fmt::format(" ({})", why_no_ring_),
                  device_->is_direct() ? "past" : "through",
                  device_->is_direct() ? "" : fmt::format(" ({})", device_->why_not_direct())));
  writer_.start(changes);
  recovery_ = std::thread([this] { recover(); });
}

void DiskTier::stop() {
  reads_.reset();
  log_->stop();
  if (recovery_.joinable()) recovery_.join();
  writer_.stop();
}

void DiskTier::give_up() {
  given_up_ = true;
  log_->stop();
  if (recovery_.joinable()) recovery_.join();
  writer_.stop();
  device_->unlock();
}

void DiskTier::recover() {
  // Signals are for the main thread.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
  pthread_setname_np(pthread_self(), "headgate-recover");
  base::work_in_background(kNice);
  const auto began = std::chrono::steady_clock::now();
  log_->recover();
  if (!log_->recovered()) return;
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  recovery_seconds_.store(took.count());
  options_.log(fmt::format("cache on disk: {} records found again in {:.1f} s",
                           log_->stats().records, took.count()));
}

bool DiskTier::may_have(const Key& key) const {
  return !given_up_ && log_->contains(plain_key(key.text));
}

void DiskTier::find(const Key& key, http::Fields request, base::Loop& loop, Done done) {
  const auto search = std::make_shared<Search>(Search{.text = std::string(key.text),
                                                      .host = std::string(key.host),
                                                      .request = http::FieldBlock(request),
                                                      .loop = loop,
                                                      .done = std::move(done)});
  look(search, plain_key(key.text), false);
}

void DiskTier::look(const std::shared_ptr<Search>& search, const std::string& key,
                    bool is_variant) {
  const auto wanted = given_up_ ? std::nullopt : log_->want(key);
  if (!wanted) return answer(search, {});
  const bool begun = reads_->read(
      wanted->offset, wanted->bytes,
      [this, search, wanted = *wanted, key, is_variant](Status read, std::string_view octets) {
        on_read(search, wanted, key, is_variant, std::move(read), octets);
      });
  if (begun) return;
  refused_.fetch_add(1, std::memory_order_relaxed);
  answer(search, {});
}

void DiskTier::on_read(const std::shared_ptr<Search>& search, const disk::Log::Wanted& wanted,
                       const std::string& key, bool is_variant, Status read,
                       std::string_view octets) {
  read_bytes_.fetch_add(octets.size(), std::memory_order_relaxed);
  const auto record = log_->take(wanted, key, std::move(read), octets);
  if (!record) return answer(search, {});
  const http::Fields request = search->request.fields();
  if (!is_variant)
    if (const auto names = decode_variants(record->value))
      return look(search, variant_key(search->text, *names, request), true);
  Key of{.hash = {}, .text = search->text, .distribution = {}, .path = {}};
  of.host = search->host;
  Found found;
  found.response = decode_response(
      record->value, of, {.run = log_->runs(), .mono = base::mono_now(), .wall = base::wall_now()});
  if (!found.response) {
    log_->forget(key);
    return answer(search, {});
  }
  const StoredResponse& response = *found.response;
  // Those of this run are counted.
  found.changed = response.stamp().changes < first_change() &&
                  log_->contains(mark_key(response.distribution(), response.path()));
  answer(search, std::move(found));
}

void DiskTier::answer(const std::shared_ptr<Search>& search, Found found) {
  (found.response ? hits_ : misses_).fetch_add(1, std::memory_order_relaxed);
  search->loop.post(
      [search, found = std::move(found)]() mutable { search->done(std::move(found)); });
}

void DiskTier::offer(const Key& key, http::Fields request,
                     const base::Ref<StoredResponse>& response) {
  if (given_up_ || response->status() >= 400 || !response->claim_disk()) return;
  // It stays claimed: what is too large stays so, and under what behavior it came cannot be written
  // when that is not the request's.
  if (response->memory_bytes() > log_->max_value_bytes() ||
      (!response->is_slice() && label_hash(key.behavior) != response->behavior_label()))
    return;
  DiskWriter::Write write{
      .key = plain_key(key.text), .behavior = std::string(key.behavior), .response = response};
  http::Vary vary = http::parse_vary(response->fields());
  if (!vary.names.empty()) {
    write.variant_key = variant_key(key.text, vary.names, request);
    write.vary_names = std::move(vary.names);
  }
  writer_.write(std::move(write));
}

void DiskTier::supersede(const Key& key, http::Fields request, const StoredResponse& response) {
  if (given_up_) return;
  std::string old = key_of(key, request, response);
  // What is on its way there is not to be found yet.
  if (!log_->contains(old) && writer_.is_idle()) return;
  log_->forget(old);
  writer_.remove(std::move(old));
}

void DiskTier::forget(const Key& key, http::Fields request, const StoredResponse& response) {
  log_->forget(key_of(key, request, response));
}

void DiskTier::note_change(std::string_view distribution, std::string_view path) {
  if (!given_up_) writer_.mark(mark_key(distribution, path));
}

DiskTierStats DiskTier::stats() const {
  const auto read = [](const std::atomic<std::uint64_t>& value) {
    return value.load(std::memory_order_relaxed);
  };
  return {.log = log_->stats(),
          .writer = writer_.stats(),
          .reads_by = why_no_ring_.empty() ? "io_uring" : "threads",
          .direct = device_->is_direct(),
          .size_bytes = device_->size_bytes(),
          .hits = read(hits_),
          .misses = read(misses_),
          .refused = read(refused_),
          .read_bytes = read(read_bytes_),
          .recovered = log_->recovered(),
          .recovery_seconds = recovery_seconds_.load(),
          .off_because = log_->off_because()};
}

}  // namespace headgate::cache
