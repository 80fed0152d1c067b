// SPDX-License-Identifier: MIT
// What others may see of the reconciler: revisions, conditions, events, as JSON and as metrics.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "appliance/base/mutex.h"
#include "appliance/base/time.h"
#include "appliance/observe/metrics.h"
#include "reconciler/loop/pipeline.h"
#include "reconciler/source/report.h"
#include "reconciler/state/history.h"

namespace headgate::reconciler {

/// As Kubernetes' kstatus has them.
struct Condition {
  enum class Value { True, False, Unknown };
  std::string type;
  Value value = Value::Unknown;
  std::string reason;                ///< one word, PascalCase, stable
  std::string message;               ///< for people
  std::string last_transition_time;  ///< RFC 3339, when `value` last changed
  std::uint64_t observed_generation = 0;
};

/// The commit that was refused last, until another one is attempted.
struct RefusedCommit {
  std::string commit;
  std::string subject;
  std::string time;
  Refusal refusal;
};

/// Threads: any. The reconciler writes, the admin listener reads.
class Board {
 public:
  Board(std::string source, std::string ref);

  void set(const std::string& type, Condition::Value value, std::string reason,
           std::string message);
  void remove(const std::string& type);
  /// Puts the conditions that a configuration brings (GeoDatabaseMissing, …) in the place of those
  /// of the one before.
  void set_of_configuration(const std::vector<snapshot::Condition>& conditions);
  void source_succeeded(const std::string& desired);
  /// What is known about each URL; before one of the other two.
  void source_looked_at(SourceReport report);
  void source_failed(const std::string& message);
  void attempted(const std::string& commit);
  /// `commit` serves a share of the viewers; empty: none does.
  void staged(const std::string& commit);
  void applied(const Activation& activation, const std::vector<schema::Diagnostic>& warnings,
               const std::deque<Activation>& history);
  void refused(RefusedCommit commit);
  void clear_refusal();
  void add_event(std::uint64_t sequence, const std::string& line);
  /// `result`: applied, unchanged, staged, refused, source_failed, state_failed.
  void count_reconcile(const std::string& result, std::chrono::duration<double> duration);

  /// Ready: a configuration is live and it is the one that the source wants, as far as is known.
  bool ready() const;
  std::uint64_t generation() const;
  double source_age_seconds() const;  ///< negative: never read
  /// The reconciler's members of /status.
  Json status() const;
  std::vector<std::pair<std::uint64_t, std::string>> events(std::uint64_t after,
                                                            std::size_t max) const;
  std::vector<observe::Family> families() const;

 private:
  void update_ready() REQUIRES(mutex_);
  void remove_locked(const std::string& type) REQUIRES(mutex_);
  void set_locked(const std::string& type, Condition::Value value, std::string reason,
                  std::string message) REQUIRES(mutex_);
  Json conditions_json() const REQUIRES(mutex_);
  Json refusal_json() const REQUIRES(mutex_);

  struct ReconcileCount {
    std::uint64_t count = 0;
    double seconds = 0;
  };

  const std::string ref_;
  mutable base::Mutex mutex_;
  std::vector<Condition> conditions_ GUARDED_BY(mutex_);
  std::vector<std::string> configuration_conditions_ GUARDED_BY(mutex_);
  std::string source_ GUARDED_BY(mutex_);  ///< the URL that serves, or served last
  SourceReport source_report_ GUARDED_BY(mutex_);
  std::string desired_ GUARDED_BY(mutex_);
  std::string attempted_ GUARDED_BY(mutex_);
  std::string applied_ GUARDED_BY(mutex_);
  std::string staged_ GUARDED_BY(mutex_);
  std::string last_source_error_ GUARDED_BY(mutex_);
  std::optional<base::WallTime> last_source_success_ GUARDED_BY(mutex_);
  std::uint64_t generation_ GUARDED_BY(mutex_) = 0;
  std::optional<RefusedCommit> refused_ GUARDED_BY(mutex_);
  std::vector<std::string> warnings_ GUARDED_BY(mutex_);
  std::deque<Activation> history_ GUARDED_BY(mutex_);
  std::deque<std::pair<std::uint64_t, std::string>> events_ GUARDED_BY(mutex_);
  std::map<std::string, ReconcileCount> reconciles_ GUARDED_BY(mutex_);
};

/// RFC 3339 in UTC with milliseconds.
std::string rfc3339(base::WallTime time);

}  // namespace headgate::reconciler
