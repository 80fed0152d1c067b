// SPDX-License-Identifier: MIT
// What is wanted of the machine, and what has become of it.
//
//   state         of the last upgrade, as the updater tells      next
//   Fetching      it is on its way                               Writing, NotFetched, Refused
//   Writing       into the slot that does not run                Written, Refused
//   Written       it waits for a change window                   Starting
//   Starting      the machine restarts                           Done, Reverted
//   Done          it runs, and has proved itself                 -
//   NotFetched    asked for again by and by                      Fetching
//   Refused       signature, version, disk: not asked for again  -
//   Reverted      it came not up in good health: the same        -
#include "reconciler/machine/updater.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "schema/text.h"
#include "schema/validate/syntax.h"

namespace headgate::reconciler {
namespace {

constexpr std::uint64_t kMaxFileOctets = std::uint64_t{64} * 1024;
constexpr std::size_t kMaxTextOctets = 2000;
constexpr Duration kLookEvery = std::chrono::seconds(1);
constexpr Duration kFetchAgainAfter = std::chrono::minutes(5);

std::string text_member(const Json& json, const char* name) {
  if (!json.is_object()) return "";
  const auto found = json.find(name);
  if (found == json.end() || !found->is_string()) return "";
  return found->get<std::string>().substr(0, kMaxTextOctets);
}

/// A number that no wish before had: its digits grow with time.
std::string new_id() {
  return fmt::format("operator-{}", base::wall_now().time_since_epoch().count());
}

std::string file_url(std::string releases, const std::string& version) {
  if (!releases.ends_with('/')) releases += '/';
  return fmt::format("{}headgate_{}.upgrade", releases, version);
}

}  // namespace

bool Updater::Told::has_failed() const {
  return state == "NotFetched" || state == "Refused" || state == "Reverted";
}

bool Updater::Told::is_over() const { return has_failed() || state == "Done"; }

Result<std::unique_ptr<Updater>> Updater::open(UpdaterOptions options, Disk& disk) {
  std::unique_ptr<Updater> made(new Updater(std::move(options), disk));
  if (::mkdir(made->folder_.c_str(), 0700) != 0 && errno != EEXIST)
    return fail(Blame::Self, "{}: {}", made->folder_, std::strerror(errno));
  const base::MutexLock lock(made->mutex_);
  if (const auto text = read_file(made->folder_ + "/request", kMaxFileOctets); text)
    made->wish_ = parse_wish(*text);
  if (const auto text = read_file(made->folder_ + "/reported", kMaxFileOctets); text)
    made->reported_ = *text;
  return made;
}

Updater::Updater(UpdaterOptions options, Disk& disk)
    : options_(std::move(options)),
      disk_(disk),
      folder_(options_.state + "/upgrade"),
      incoming_(disk, folder_) {}

Updater::~Updater() { stop(); }

void Updater::start() {
  thread_ = std::thread([this] { loop(); });
}

void Updater::stop() {
  {
    const base::MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Updater::loop() {
  while (true) {
    look();
    base::MutexLock lock(mutex_);
    if (stopping_) return;
    lock.wait_until(wake_, base::mono_now() + kLookEvery);
    if (stopping_) return;
  }
}

void Updater::look() {
  const auto live = options_.live();
  const std::string wait = live != nullptr ? options_.must_wait(*live) : "";
  const base::MutexLock lock(mutex_);
  waits_because_ = wait;
  read_told();
  report();
  ask_for_fleet(live.get());
  if (wish_ && !is_done(*wish_) && !wish_->factory_reset) {
    const bool may_restart = wish_->urgent || waits_because_.empty();
    if (may_restart != wish_->may_restart) {
      Wish changed = *wish_;
      changed.may_restart = may_restart;
      if (const Status put_down = put(changed); !put_down)
        options_.log("upgrade: " + put_down.error().context);
    }
  }
}

/// A file that is missing or damaged: nothing is known, and nothing is asked for.
void Updater::read_told() {
  machine_ = Json();
  told_ = Told();
  const std::string path = options_.folder + "/status.json";
  const auto text = read_file(path, kMaxFileOctets);
  if (!text) {
    machine_ = Json{{"problem", text.error().context}};
    return;
  }
  Json json = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    machine_ = Json{{"problem", path + " is damaged; the machine's updater writes it again"}};
    return;
  }
  const Json upgrade = json.contains("upgrade") ? json["upgrade"] : Json();
  told_ = {text_member(json, "version"),    text_member(upgrade, "id"),
           text_member(upgrade, "version"), text_member(upgrade, "state"),
           text_member(upgrade, "message"), text_member(upgrade, "time")};
  machine_ = std::move(json);
}

/// Conditions now, and the journal once.
void Updater::report() {
  const bool runs = !told_.state.empty() && !told_.is_over();
  const std::string what = told_.upgrade.empty() ? "an upgrade" : told_.upgrade;
  std::string message = fmt::format("{}: {}", what, told_.message);
  if (told_.state == "Written" && !waits_because_.empty()) message += "; it " + waits_because_;
  options_.show("Upgrading", runs ? told_.state : "", message);
  if (told_.has_failed())
    options_.show("UpgradeFailed", told_.state, message);
  else
    options_.show("UpgradeFailed", trouble_.empty() ? "" : "NoReleases", trouble_);

  const std::string outcome = told_.id + " " + told_.state;
  if (!told_.is_over() || outcome == reported_) return;
  const std::string running = told_.version;
  if (told_.state == "Done")
    options_.record(Json{{"type", "upgraded"}, {"version", running}, {"message", told_.message}});
  else
    options_.record(Json{{"type", "upgradeFailed"},
                         {"version", told_.upgrade},
                         {"running", running},
                         {"reason", told_.state},
                         {"message", told_.message}});
  options_.log("upgrade: " + schema::escape_control(message));
  reported_ = outcome;
  if (const Status kept = replace_file(disk_, folder_ + "/reported", outcome); !kept)
    options_.log("upgrade: " + kept.error().context);
}

bool Updater::is_done(const Wish& wish) const { return told_.id == wish.id && told_.is_over(); }

/// Whether what could not be fetched may be asked for again.
bool Updater::wait_is_over() {
  const base::MonoTime now = options_.mono_now();
  if (!failed_at_) failed_at_ = now;
  if (now < *failed_at_ + kFetchAgainAfter) return false;
  failed_at_.reset();
  return true;
}

/// What an operator has asked for comes first.
void Updater::ask_for_fleet(const schema::Model* live) {
  if (told_.version.empty() || live == nullptr) return;
  if (wish_ && wish_->by_operator && !is_done(*wish_)) return;
  const schema::Fleet* fleet = live->fleet.get();
  const std::string version = fleet != nullptr ? fleet->version : "";
  const bool is_wanted = !version.empty() && version != told_.version;
  trouble_.clear();
  std::optional<Wish> next;
  if (is_wanted) {
    const std::string& releases = options_.releases.empty() ? fleet->releases : options_.releases;
    if (releases.empty()) {
      trouble_ = fmt::format(
          "the fleet's version is {}, and nothing says where it is: give spec.releases of kind: "
          "Fleet, or updater.releases of the machine",
          version);
    } else {
      std::size_t attempt = 1;
      const std::string prefix = fmt::format("fleet-{}-", version);
      if (wish_ && wish_->id.starts_with(prefix)) {
        attempt = std::strtoul(wish_->id.c_str() + prefix.size(), nullptr, 10);
        if (told_.id == wish_->id && told_.state == "NotFetched" && wait_is_over()) ++attempt;
      }
      next = Wish();
      next->id = fmt::format("{}{}", prefix, attempt);
      next->version = version;
      next->from = file_url(releases, version);
      next->may_restart = waits_because_.empty();
    }
  } else if (wish_ && is_done(*wish_)) {
    return;  // it stays, so that the updater knows it has been done
  }
  if (next && wish_ && next->text() == wish_->text()) return;
  if (!next && !wish_) return;
  if (const Status asked = put(next); !asked) options_.log("upgrade: " + asked.error().context);
}

Status Updater::put(std::optional<Wish> wish) {
  const std::string path = folder_ + "/request";
  const Status done = wish ? replace_file(disk_, path, wish->text()) : disk_.remove(path);
  if (!done)
    return fail(Blame::Self, "the machine's updater cannot be asked: {}", done.error().context);
  wish_ = std::move(wish);
  return {};
}

Status Updater::check_idle() const {
  if (told_.version.empty())
    return fail(Blame::Config,
                "the machine's updater has told nothing yet; `headgate status` shows when it has");
  static const std::set<std::string> kBusy = {"Fetching", "Writing", "Starting"};
  if (kBusy.count(told_.state) > 0)
    return fail(Blame::Config, "{} is under way: {}; ask again when that is over", told_.upgrade,
                told_.state);
  return {};
}

Result<std::string> Updater::ask(Wish wish) {
  HG_CHECK(check_idle(), "not asked");
  wish.id = new_id();
  wish.by_operator = true;
  wish.may_restart = wish.urgent || waits_because_.empty();
  const std::string wait = wish.may_restart ? "" : "; it " + waits_because_;
  HG_CHECK(put(std::move(wish)), "not asked");
  return fmt::format(
      "the machine fetches, verifies and writes it, and restarts{}: see "
      "`headgate status`",
      wait);
}

Result<std::string> Updater::upgrade_from(const std::string& url, bool urgent) {
  std::string good = url;
  if (const std::string expected = schema::kUrl.check(good); !expected.empty())
    return fail(Blame::Client, "from: not a URL: {}", expected);
  const base::MutexLock lock(mutex_);
  Wish wish;
  wish.from = url;
  wish.urgent = urgent;
  return ask(std::move(wish));
}

Status Updater::receive(std::uint64_t offset, std::string_view octets) {
  const base::MutexLock lock(mutex_);
  return incoming_.take(offset, octets);
}

Result<std::string> Updater::upgrade_received(bool urgent) {
  const base::MutexLock lock(mutex_);
  HG_CHECK(check_idle(), "not asked");  // the file that is there may be what is being written
  HG_CHECK(incoming_.finish(), "not asked");
  Wish wish;
  wish.from = "received";
  wish.urgent = urgent;
  return ask(std::move(wish));
}

Result<std::string> Updater::reset() {
  const base::MutexLock lock(mutex_);
  Wish wish;
  wish.factory_reset = true;
  HG_TRY(const std::string asked, ask(std::move(wish)), "not reset");
  (void)asked;
  return std::string("the machine forgets everything and restarts");
}

Json Updater::status() const {
  const base::MutexLock lock(mutex_);
  Json json = machine_;
  if (!json.is_object()) json = Json::object();
  if (wish_ && !is_done(*wish_)) {
    Json& wanted = json["wanted"] = Json::object();
    wanted["by"] = wish_->by_operator ? "operator" : "fleet";
    if (!wish_->version.empty()) wanted["version"] = wish_->version;
    if (wish_->factory_reset)
      wanted["factoryReset"] = true;
    else
      wanted["from"] = wish_->from;
    if (!wish_->may_restart && !waits_because_.empty()) wanted["restart"] = waits_because_;
  }
  return json;
}

}  // namespace headgate::reconciler
