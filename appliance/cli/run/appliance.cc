// SPDX-License-Identifier: MIT
// The object graph of a running appliance: who is made of what, in which order things begin and
// end.
#include "appliance/cli/run/appliance.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <thread>
#include <utility>

#include "appliance/cli/run/cache_ledger_id.h"
#include "appliance/cli/run/descriptors.h"
#include "appliance/cli/run/quic_seed.h"
#include "appliance/cli/run/service_manager.h"
#include "appliance/cli/run/status.h"
#include "appliance/snapshot/secret/secrets.h"
#include "reconciler/trust/machine.h"

namespace headgate::cli {
namespace {

/// For what the end itself is told of.
constexpr Duration kTellLimit = std::chrono::seconds(2);

unsigned worker_count(std::uint32_t asked) {
  return asked > 0 ? asked : std::max(1U, std::thread::hardware_concurrency());
}

cache::Policy::Kind eviction_policy(schema::CacheEviction eviction) {
  switch (eviction) {
    case schema::CacheEviction::Lru:
      return cache::Policy::Kind::Lru;
    case schema::CacheEviction::Gdsf:
      return cache::Policy::Kind::Gdsf;
    case schema::CacheEviction::S3Fifo:
      break;
  }
  return cache::Policy::Kind::S3Fifo;
}

/// The socket that the process before had for this address; -1: none.
int take(HandedListener& handed, const std::string& address) {
  const int descriptor = std::exchange(handed.descriptor, -1);
  if (descriptor < 0 || handed.asked == address) return descriptor;
  ::close(descriptor);
  return -1;
}

Result<guard::TrustedProxies> trusted_proxies(const std::vector<std::string>& cidrs) {
  std::vector<base::IpNetwork> networks;
  for (const std::string& cidr : cidrs) {
    const auto network = base::IpNetwork::parse(cidr);
    if (!network) return fail(Blame::Config, "{}: expected 10.0.0.0/8 or 2001:db8::/32", cidr);
    networks.push_back(*network);
  }
  return guard::TrustedProxies(std::move(networks));
}

}  // namespace

Appliance::Appliance(schema::Edge settings, std::string receive,
                     std::optional<Inheritance> inherited,
                     std::function<void(const std::string&)> log)
    : settings_(std::move(settings)),
      receive_(std::move(receive)),
      inherited_(inherited ? std::move(*inherited) : Inheritance()),
      log_(std::move(log)) {}

Appliance::~Appliance() { stop(); }

Status Appliance::open(const std::string& user) {
  auto privileges = Privileges::of(user);
  if (!privileges) return tl::unexpected<Error>(std::move(privileges.error()));
  privileges_ = std::move(*privileges);
  if (!settings_.geoip.empty()) {
    geo_file_.emplace(settings_.geoip);
    HG_TRY(geo_, geo_file_->open(), "--geoip");
  }
  if (const auto trusted = reconciler::read_machine_policy(settings_.verify); !trusted)
    return tl::unexpected<Error>(trusted.error());
  if (settings_.source.webhook_secret) {
    HG_TRY(webhook_secret_, snapshot::resolve(*settings_.source.webhook_secret),
           "source.webhookSecret");
  }
  HG_CHECK(open_notifier(), "starting");
  if (settings_.access_log != "off") {
    HG_TRY(access_log_, observe::AccessLog::open(settings_.access_log), "--access-log");
    metrics_.contribute([this] { return observe::access_log_families(*access_log_); });
  }
  return {};
}

Status Appliance::open_notifier() {
  reconciler::NotifierOptions options;
  options.notifications = settings_.notifications;
  options.edge = settings_.name;
  options.resolve = [](const schema::Secret& secret) { return snapshot::resolve(secret); };
  options.log = log_;
  auto made = reconciler::Notifier::make(std::move(options));
  if (!made) return tl::unexpected<Error>(std::move(made.error()));
  notifier_ = std::move(*made);
  return {};
}

Status Appliance::start() {
  // The state belongs to the user whom we become; ports below 1024 belong to root. What can be
  // served is there before anybody can connect.
  for (const auto step : {&Appliance::assume_user, &Appliance::open_reconciler,
                          &Appliance::open_cache_disk, &Appliance::regain_root,
                          &Appliance::open_edge, &Appliance::become_user, &Appliance::open_admin})
    if (Status done = (this->*step)(); !done) return done;
  offer_metrics();
  announce();
  warmer_->start();
  reconciler_->start();
  if (updater_ != nullptr) updater_->start();
  if (inherited_.ready >= 0) {
    const ssize_t told = ::write(inherited_.ready, "1", 1);
    ::close(std::exchange(inherited_.ready, -1));
    if (told != 1) return fail(Blame::Self, "the process before has ended meanwhile");
  }
  tell_service_manager("READY=1");
  return {};
}

Status Appliance::assume_user() { return privileges_.assume(); }
Status Appliance::regain_root() { return privileges_.regain(); }
Status Appliance::become_user() { return privileges_.drop(); }

Status Appliance::open_reconciler() {
  if (!receive_.empty()) {
    HG_TRY(receiver_, Receiver::open(receive_, settings_.source.ref), "starting");
  }
  reconciler::ReconcilerOptions options;
  options.source = settings_.source;
  options.verify = settings_.verify;
  options.version = HEADGATE_VERSION;
  options.on_event = [this](const std::string& event) { notifier_->tell(event); };
  options.activator.state = settings_.state;
  options.activator.log = log_;
  options.activator.cache_survives = settings_.cache_disk.has_value();
  options.compile.geo = geo_;
  options.compile.age_identity = settings_.age_identity;
  options.compile.waf = waf_;
  options.compile.waf_patterns = settings_.state + "/waf";
  options.compile.metric_slot = [this](std::string_view distribution, std::string_view behavior) {
    return metrics_.slot(distribution, behavior);
  };
  options.count = [this](std::uint8_t lane) { return metrics_.tallies(lane); };
  if (geo_file_)
    options.refresh = [this](snapshot::CompileOptions& compile) {
      auto geo = geo_file_->open();
      if (!geo) return log_("--geoip: " + geo.error().context + "; the one before stays in use");
      if (*geo != compile.geo) log_("--geoip: " + settings_.geoip + " is another one now");
      compile.geo = std::move(*geo);
    };
  auto opened = reconciler::Reconciler::open(std::move(options), snapshots_, disk_);
  if (!opened) return tl::unexpected<Error>(std::move(opened.error()));
  reconciler_ = std::move(*opened);
  notifier_->start(disk_, settings_.state + "/notified",
                   reconciler_->board().events(0, reconciler::History::kMaxEvents));
  HG_TRY(quic_seed_, quic_seed(disk_, settings_.state), "--state");
  reconciler_->resume();
  return {};
}

/// A disk that cannot be used stops nothing; who has it next begins anew.
void Appliance::cache_disk_is_off(const std::string& because) {
  const std::string message = because + "; responses are cached in memory alone";
  log_("cache on disk: off: " + message);
  reconciler_->set_condition("CacheDiskOff", reconciler::Condition::Value::True, "DeviceFailed",
                             message);
  if (const Status forgotten = forget_cache_ledger_id(disk_, settings_.state); !forgotten)
    log_("cache on disk: " + forgotten.error().context);
}

Status Appliance::open_cache_disk() {
  if (!settings_.cache_disk) return forget_cache_ledger_id(disk_, settings_.state);
  // Without a ledger nobody knows what was purged of what is on the disk.
  const bool is_new = snapshots_.version() == 0;
  HG_TRY(const std::uint64_t ledger_id, cache_ledger_id(disk_, settings_.state, is_new), "--state");
  std::optional<cache::disk::BlockCipher> cipher;
  if (settings_.cache_disk->key) {
    HG_TRY(const schema::Redacted key, snapshot::resolve(*settings_.cache_disk->key),
           "the key of the cache on disk");
    HG_TRY(cipher, cache::disk::BlockCipher::make(key.reveal()), "the key of the cache on disk");
  }
  auto opened = cache::DiskTier::open(
      {.path = settings_.cache_disk->path,
       .size_bytes = settings_.cache_disk->size,
       .ledger_id = ledger_id,
       .cipher = std::move(cipher),
       .log = log_,
       .on_off = [this](const std::string& because) { cache_disk_is_off(because); }});
  if (!opened) {
    cache_disk_is_off(opened.error().context);
    return {};
  }
  cache_disk_ = std::move(*opened);
  metrics_.contribute([this] { return cache_disk_families(cache_disk_->stats()); });
  return {};
}

Status Appliance::open_edge() {
  server::EdgeOptions options;
  options.http = settings_.http;
  options.https = settings_.https;
  options.threads = worker_count(settings_.threads);
  options.cache_memory = settings_.cache_memory;
  options.cache_eviction = eviction_policy(settings_.cache_eviction);
  options.cache_disk = cache_disk_;
  options.limits = settings_.limits;
  options.waf_debug_header = settings_.waf_debug_header;
  options.quic_seed = quic_seed_;
  options.inherited = std::exchange(inherited_.listeners, {});
  if (!options.inherited.empty() && options.inherited.front().descriptors.size() != options.threads)
    log_(fmt::format("--threads: {} as before; another number needs a restart",
                     options.inherited.front().descriptors.size()));
  // The name that QUIC's programs share for it.
  if (const char* folder = std::getenv("QLOGDIR")) options.qlog_folder = folder;
  HG_TRY(const std::uint64_t descriptors, raise_descriptor_limit(), "starting");
  // Half of them: a connection of a viewer may need one to an origin.
  if (const std::uint32_t asked = options.limits.max_connections; asked > descriptors / 2) {
    options.limits.max_connections = static_cast<std::uint32_t>(descriptors / 2);
    if (asked != schema::EdgeLimits().max_connections)
      log_(
          fmt::format("limits.maxConnections: {} instead of {}, as the process may have {} files "
                      "open (ulimit -Hn, LimitNOFILE=)",
                      options.limits.max_connections, asked, descriptors));
  }
  HG_TRY(options.trusted_proxies, trusted_proxies(settings_.trusted_proxies), "--trusted-proxy");
  auto started = server::Edge::start(std::move(options), snapshots_, metrics_, access_log_.get());
  if (!started) return tl::unexpected<Error>(std::move(started.error()));
  edge_ = std::move(*started);
  follow_with_edge();
  return {};
}

void Appliance::follow_with_edge() {
  reconciler_->invalidator().set_sweep(
      [this](const cache::PurgeTable& purges) { return edge_->sweep(purges); });
  reconciler_->invalidator().set_count(
      [this](const cache::PurgeTable& purges) { return edge_->count_selected(purges); });
}

void Appliance::offer_metrics() {
  metrics_.contribute([this] { return reconciler_->board().families(); });
  metrics_.contribute([this] { return reconciler_->invalidator().families(); });
  metrics_.contribute([this] { return notifier_->families(); });
  metrics_.contribute([this] { return cache_families(edge_->cache_stats()); });
  metrics_.contribute([this] { return waf_families(*waf_, edge_->held_body_octets()); });
  metrics_.contribute([this] { return miss_curve_families(edge_->miss_curve()); });
  metrics_.contribute([this] { return compression_families(edge_->encoding_stats()); });
  metrics_.contribute([this] { return warmer_->families(); });
}

/// Nothing is asked for before `start`, when the listeners accept.
void Appliance::open_warmer() {
  warm::WarmerOptions options;
  options.serve = [this](int fd) { edge_->serve_internal(fd); };
  options.record = [this](const warm::Json& event) { reconciler_->record(event); };
  options.log = log_;
  warmer_ = std::make_unique<warm::Warmer>(std::move(options));
  if (const auto snapshot = snapshots_.get(); snapshot != nullptr) warmer_->serves(snapshot, {});
  reconciler_->on_swap(
      [this](const reconciler::Swap& swap) { warmer_->serves(swap.snapshot, swap.invalidated); });
}

Status Appliance::open_admin() {
  open_warmer();
  HG_CHECK(open_updater(), "updater.folder");
  admin::Options options;
  options.listen = settings_.admin;
  options.webhook_secret = webhook_secret_;
  options.token = admin_token();
  options.inherited = take(inherited_.admin, settings_.admin);
  HG_TRY(admin_, admin::Server::start(options, endpoints()), "--admin");
  if (receiver_) HG_CHECK(receiver_->install_hooks(admin_->address()), "starting");
  const int inherited_health = take(inherited_.health, settings_.health);
  if (settings_.health.empty()) return {};
  admin::Options health;
  health.listen = settings_.health;
  health.inherited = inherited_health;
  health.health_only = true;
  HG_TRY(health_, admin::Server::start(health, endpoints()), "--health");
  return {};
}

void Appliance::announce() const {
  for (const std::string& address : edge_->http_addresses()) log_("http on " + address);
  for (const std::string& address : edge_->https_addresses()) log_("https on " + address);
  log_("admin on " + admin_->address());
  if (health_ != nullptr) log_("health on " + health_->address());
  if (receiver_) log_("receiving pushes into " + receive_);
  const schema::EdgeSource& source = settings_.source;
  for (const std::string& url : source.urls) {
    const auto location = reconciler::parse_location(url);
    if (!location) continue;
    log_(fmt::format("following {} at {} every {}", location->shown,
                     source.semver.empty() ? source.ref : source.semver,
                     format_duration(source.poll)));
    if (location->unauthenticated())
      log_(
          "warning: the source is neither encrypted nor authenticated: whoever is on the way can "
          "change what comes");
  }
}

void Appliance::reload() {
  if (access_log_ != nullptr)
    if (const Status reopened = access_log_->reopen(); !reopened)
      log_("--access-log: " + reopened.error().context);
  reconciler_->reconcile_now();
}

void Appliance::stop() {
  if (draining_.exchange(true)) return;
  tell_service_manager("STOPPING=1");
  if (warmer_ != nullptr) warmer_->stop();
  if (edge_ != nullptr) {
    edge_->drain();
    edge_->wait_until_idle(kDrainLimit);
  }
  if (updater_ != nullptr) updater_->stop();
  if (reconciler_ != nullptr) reconciler_->stop();
  if (notifier_ != nullptr) notifier_->stop(kTellLimit);
  health_.reset();
  admin_.reset();
}

}  // namespace headgate::cli
