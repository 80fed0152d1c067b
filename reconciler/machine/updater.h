// SPDX-License-Identifier: MIT
// The version of the appliance image as a thing that git says: what the fleet, or an operator,
// wants of this machine, and what its updater has made of it.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "appliance/base/mutex.h"
#include "appliance/base/time.h"
#include "reconciler/loop/board.h"
#include "reconciler/machine/incoming.h"
#include "reconciler/machine/wish.h"
#include "schema/model/model.h"

namespace headgate::reconciler {

struct UpdaterOptions {
  std::string folder;    ///< has status.json, which the updater of the image writes
  std::string state;     ///< the state folder: in upgrade/ lies what is asked of the updater
  std::string releases;  ///< of this machine, instead of the fleet's; may be empty
  /// The live configuration; null before there is one. Threads: any.
  std::function<std::shared_ptr<const schema::Model>()> live;
  /// Why this machine must not restart now, in a few words; empty when it may.
  std::function<std::string(const schema::Model& live)> must_wait;
  /// A condition, or with no `reason` the end of one.
  std::function<void(const std::string& type, const std::string& reason,
                     const std::string& message)>
      show;
  std::function<void(const Json& event)> record;
  std::function<void(const std::string&)> log;
  std::function<base::MonoTime()> mono_now = base::mono_now;
};

/// The image's own updater runs as root, and trusts nothing but signatures; this is the edge's
/// side, without privileges. It writes a wish (`Wish`) and reads what came of it:
///
///   {"version": "0.1.0", "firmware": "UEFI", "slots": [{"slot": "a", "version": …, "state": …}],
///    "upgrade": {"id": …, "version": …, "state": …, "message": …, "time": …}}
///
/// Threads: any, but start and stop from one.
class Updater {
 public:
  /// Errors: Blame::Self when the state folder cannot be written.
  static Result<std::unique_ptr<Updater>> open(UpdaterOptions options, Disk& disk);
  ~Updater();

  /// Looks on a thread of its own, every second.
  void start();
  void stop();
  /// Once: reads what the updater tells, says what is wanted.
  void look();

  /// `machine` of /status.
  Json status() const;
  /// The image at `url` (http, https). Each returns what will happen, in one line. Errors:
  /// Blame::Client for what cannot be, Blame::Config when something is under way, Blame::Self.
  Result<std::string> upgrade_from(const std::string& url, bool urgent);
  /// See Incoming.
  Status receive(std::uint64_t offset, std::string_view octets);
  Result<std::string> upgrade_received(bool urgent);
  /// Everything but the version that runs goes: state, cache, other settings.
  Result<std::string> reset();

 private:
  Updater(UpdaterOptions options, Disk& disk);
  struct Told {
    std::string version;
    std::string id;
    std::string upgrade;
    std::string state;
    std::string message;
    std::string time;
    bool is_over() const;
    bool has_failed() const;
  };
  void read_told() REQUIRES(mutex_);
  void report() REQUIRES(mutex_);
  void ask_for_fleet(const schema::Model* live) REQUIRES(mutex_);
  bool wait_is_over() REQUIRES(mutex_);
  bool is_done(const Wish& wish) const REQUIRES(mutex_);
  Status check_idle() const REQUIRES(mutex_);
  Result<std::string> ask(Wish wish) REQUIRES(mutex_);
  Status put(std::optional<Wish> wish) REQUIRES(mutex_);
  void loop();

  const UpdaterOptions options_;
  Disk& disk_;
  const std::string folder_;
  mutable base::Mutex mutex_;
  Incoming incoming_ GUARDED_BY(mutex_);
  Json machine_ GUARDED_BY(mutex_);
  Told told_ GUARDED_BY(mutex_);
  std::optional<Wish> wish_ GUARDED_BY(mutex_);
  std::string waits_because_ GUARDED_BY(mutex_);
  std::string trouble_ GUARDED_BY(mutex_);   ///< why nobody can be asked for what the fleet wants
  std::string reported_ GUARDED_BY(mutex_);  ///< id and state of what the journal knows
  std::optional<base::MonoTime> failed_at_ GUARDED_BY(mutex_);  ///< of a fetch
  std::condition_variable wake_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace headgate::reconciler
