// SPDX-License-Identifier: MIT
// Fills the cache before viewers ask: at boot, when a commit goes live, after purges, at a moment,
// and when it is told to.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "appliance/base/mutex.h"
#include "appliance/base/time.h"
#include "appliance/observe/metrics.h"
#include "appliance/snapshot/snapshot.h"
#include "appliance/warm/requester.h"
#include "appliance/warm/run.h"

namespace headgate::warm {

struct WarmerOptions {
  /// Answers on one end of a connection: Edge::serve_internal.
  std::function<void(int)> serve;
  /// Keeps an event, when a run has ended. Called without any lock of the warmer's.
  std::function<void(const Json&)> record;
  std::function<void(const std::string&)> log;      ///< one line for the operator
  std::function<Timestamp()> now = base::wall_now;  ///< decides what `notBefore` makes due
};

/// What came of `ask`.
struct Asked {
  std::vector<std::uint64_t> runs;
  bool is_unknown = false;  ///< there is no such list
  std::string problem;      ///< one line; empty: the runs are under way
};

/// A list has one run at a time. Threads: start and stop from one, the rest from any; nobody waits
/// for a request.
class Warmer {
 public:
  explicit Warmer(WarmerOptions options);
  ~Warmer();
  Warmer(const Warmer&) = delete;
  Warmer& operator=(const Warmer&) = delete;

  /// The edge accepts connections. What is given to `serves` first is the boot.
  void start();
  /// `snapshot` is what requests are served under from now on; with it became invalid what
  /// `invalidated` names.
  void serves(std::shared_ptr<const snapshot::Snapshot> snapshot,
              const std::vector<schema::Invalidation>& invalidated);
  /// Runs the list of that name now, or all when it is empty. One that runs already runs on.
  Asked ask(const std::string& list);
  /// Lists, and their runs, the newest first.
  Json to_json() const;
  std::vector<observe::Family> families() const;
  /// Ends what is under way.
  void stop();

 private:
  using Trigger = schema::WarmList::Trigger;
  /// A request that is under way. Threads: the warmer's.
  struct Transfer {
    std::uint64_t run = 0;
    Item item;
    std::shared_ptr<Document> document;  ///< null: its content is of no interest
    Request request;
  };
  struct Totals;

  void loop();
  void boot() REQUIRES(mutex_);
  void take_over(const snapshot::Configuration& before) REQUIRES(mutex_);
  void after(const schema::Invalidation& invalidation) REQUIRES(mutex_);
  Run* begin(const schema::WarmList& list, const std::string& trigger) REQUIRES(mutex_);
  Run* add(std::unique_ptr<Run> run, const std::string& trigger) REQUIRES(mutex_);
  Run* active(const std::string& list) const REQUIRES(mutex_);
  Run* find(std::uint64_t id) const REQUIRES(mutex_);
  const schema::Distribution* serving(const std::string& distribution) const REQUIRES(mutex_);
  void run_due() REQUIRES(mutex_);
  void note(const Requester::Ended& ended, Time now) REQUIRES(mutex_);
  void expand(Run& run, const Item& item, const Document& document) REQUIRES(mutex_);
  void take_requests(Time now, std::vector<std::pair<std::uint64_t, const Transfer*>>& begun)
      REQUIRES(mutex_);
  void end(Run& run, Run::State state, Time now) REQUIRES(mutex_);
  void end_runs(Time now, std::vector<Json>& events) REQUIRES(mutex_);
  void forget_old() REQUIRES(mutex_);
  std::chrono::milliseconds until_next(Time now) const REQUIRES(mutex_);
  void report(const Json& event) const;

  const WarmerOptions options_;
  Requester requester_;
  std::unordered_map<std::uint64_t, Transfer> transfers_;  ///< by token; the warmer's thread
  std::uint64_t last_token_ = 0;                           ///< the same

  mutable base::Mutex mutex_;
  std::shared_ptr<const snapshot::Configuration> configuration_ GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<Run>> runs_ GUARDED_BY(mutex_);  ///< in order of their ids
  std::vector<std::uint64_t> ended_ GUARDED_BY(mutex_);        ///< and not yet reported
  std::uint64_t last_run_ GUARDED_BY(mutex_) = 0;
  std::map<std::string, Totals> totals_ GUARDED_BY(mutex_);  ///< by distribution, of ended runs
  Timestamp last_look_ GUARDED_BY(mutex_){};  ///< what was due up to then has been run
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace headgate::warm
