// SPDX-License-Identifier: MIT
// The object graph of a running appliance: who is made of what, in which order things begin and
// end.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "appliance/admin/server.h"
#include "appliance/cli/run/handover.h"
#include "appliance/cli/run/privileges.h"
#include "appliance/cli/run/receiver.h"
#include "appliance/observe/access_log.h"
#include "appliance/observe/metrics.h"
#include "appliance/server/edge.h"
#include "appliance/snapshot/snapshot.h"
#include "appliance/warm/warmer.h"
#include "reconciler/loop/reconciler.h"
#include "reconciler/machine/updater.h"
#include "reconciler/notify/notifier.h"
#include "schema/model/resources.h"

namespace headgate::cli {

/// Threads: start, reload and stop from one.
class Appliance {
 public:
  /// `log` gets one line for the operator; from any thread.
  /// `receive`: the bare repository that is pushed to, and the source; empty: none.
  /// `inherited`: of the process whose place this one takes.
  Appliance(schema::Edge settings, std::string receive, std::optional<Inheritance> inherited,
            std::function<void(const std::string&)> log);
  ~Appliance();

  /// What the settings name: databases, logs, secrets. Errors: Blame::Config; nothing has been
  /// touched.
  Status open(const std::string& user);
  /// Resumes, binds, drops privileges, opens the admin listeners, begins to reconcile.
  Status start();
  /// SIGHUP: the access log is opened again, the source is asked now.
  void reload();
  /// SIGUSR2: another process is to serve in this one's place.
  enum class Handover {
    Done,    ///< it does; `retire`
    Failed,  ///< it did not come: everything is as before
    Broken   ///< nor can this one go on following the repository: it serves, but should end
  };
  Handover hand_over(const std::function<bool()>& give_up);
  /// What is under way goes on until it is over, for 10 minutes at most, and for 10 s at most from
  /// when `give_up` says so.
  void retire(const std::function<bool()>& give_up);
  /// Closes the listeners, lets requests finish, for 10 s at most.
  void stop();

 private:
  Status open_notifier();
  Status assume_user();
  Status open_reconciler();
  Status open_cache_disk();
  void cache_disk_is_off(const std::string& because);
  Status regain_root();
  Status open_edge();
  Status become_user();
  void follow_with_edge();
  Status open_admin();
  void open_warmer();
  void offer_metrics();
  void stop_following();
  Status follow_again(Inheritance inheritance);
  void announce() const;
  admin::Appliance endpoints();
  admin::Overriding overriding();
  admin::Upgrading upgrading();
  Status open_updater();
  std::string must_wait(const schema::Model& live) const;
  admin::WarmReply warm(const std::string& list);
  admin::Readiness readiness() const;
  std::string status_json() const;
  reconciler::Json listeners_json() const;

  static constexpr Duration kDrainLimit = std::chrono::seconds(10);

  const schema::Edge settings_;
  const std::string receive_;
  Inheritance inherited_;
  const std::function<void(const std::string&)> log_;
  Privileges privileges_;
  std::optional<guard::GeoFile> geo_file_;  ///< the reconciler's thread's once that runs
  std::shared_ptr<const guard::GeoDatabase> geo_;
  std::optional<schema::Redacted> webhook_secret_;
  std::unique_ptr<observe::AccessLog> access_log_;
  observe::Metrics metrics_;
  const std::shared_ptr<guard::waf::Shared> waf_ =
      std::make_shared<guard::waf::Shared>(settings_.resolvers);
  snapshot::SnapshotHolder snapshots_;
  reconciler::Disk disk_;
  std::unique_ptr<reconciler::Notifier> notifier_;
  std::unique_ptr<reconciler::Reconciler> reconciler_;
  std::optional<Receiver> receiver_;
  server::QuicSeed quic_seed_{};
  std::shared_ptr<cache::DiskTier> cache_disk_;  ///< null: none, or it cannot be used
  std::unique_ptr<server::Edge> edge_;
  std::unique_ptr<warm::Warmer> warmer_;
  std::unique_ptr<reconciler::Updater> updater_;  ///< null: this is not the appliance image
  std::unique_ptr<admin::Server> health_;
  std::unique_ptr<admin::Server> admin_;
  std::atomic<bool> draining_{false};
};

}  // namespace headgate::cli
