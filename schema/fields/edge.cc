// SPDX-License-Identifier: MIT
// Fields of `kind: Edge`, the machine's own file, and of `kind: Fleet`.
#include <fmt/format.h>

#include <set>

#include "schema/fields/choices.h"
#include "schema/fields/edge_limits.h"
#include "schema/fields/edge_notifications.h"
#include "schema/fields/edge_source.h"
#include "schema/fields/envelope.h"
#include "schema/fields/kinds.h"

namespace headgate::schema {
namespace {

constexpr std::size_t kMaxChangeWindows = 50;

void verify_fields(Object<EdgeVerify>& o) {
  o.field("allowedSigners", &EdgeVerify::allowed_signers,
          "File of the SSH keys, in ssh-keygen's format, whose signature the first commit needs, "
          "and every commit while the repository has no signers.yaml.")
      .format(kNotEmpty);
  o.field("openpgpKeyring", &EdgeVerify::openpgp_keyring,
          "The same for OpenPGP: a file of public keys.")
      .format(kNotEmpty);
  o.field("trustedCommit", &EdgeVerify::trusted_commit,
          "The operator's word for a commit: it, and by its signers.yaml what follows, may go live "
          "as if it had been live before.")
      .format(kCommitId);
  o.later("mode", "range");
}

const Type& age_identity_type() {
  static const SecretType identity(false);
  static const OptionalOf<Secret> optional(identity);
  return optional;
}

void secrets_fields(Object<Edge>& o) {
  o.field("ageIdentity", &Edge::age_identity, age_identity_type(),
          "Where the identities are, as age-keygen writes them, for which `*.sops.yaml` of the "
          "repository are encrypted.");
  o.check([](Edge& edge, const Node& node, Decoder& decoder) {
    if (edge.age_identity && edge.age_identity->source == Secret::Source::Sops)
      decoder.error(Code::NotSupportedValue, node.locate("ageIdentity").mark,
                    "the key of secrets cannot be one of them",
                    "write valueFrom: {file: /etc/headgate/age.key}");
  });
}

/// Metrics and logs know notifications by their names.
void check_notification_names(Edge& edge, const Node& node, Decoder& decoder) {
  const Node* list = node.find("notifications");
  if (list == nullptr || list->children.size() != edge.notifications.size()) return;
  std::set<std::string> names;
  for (std::size_t i = 0; i < edge.notifications.size(); ++i)
    if (const std::string& name = edge.notifications[i].name; !names.insert(name).second)
      decoder.error(Code::DuplicateItem, list->children[i].mark,
                    fmt::format("there is another notification \"{}\"", name),
                    "give each a name of its own");
}

const Type& cache_disk_type() {
  static const Object<EdgeCacheDisk> disk(
      "EdgeCacheDisk", "Where what is cached is kept beyond the end of the process.",
      [](Object<EdgeCacheDisk>& o) {
        o.field("path", &EdgeCacheDisk::path,
                "A file, which is made, in a folder that the appliance may write to; or a block "
                "device, of which everything else is lost.")
            .required()
            .format(kNotEmpty);
        o.field("size", &EdgeCacheDisk::size, "How much of the disk is taken, at once.")
            .required()
            .at_least(EdgeCacheDisk::kLeastBytes);
        static const SecretType secret(false);
        static const OptionalOf<Secret> key(secret);
        o.field("key", &EdgeCacheDisk::key, key,
                "With it, what is kept is encrypted (AES-256-XTS); at least 32 octets, as of "
                "`openssl rand -base64 32`. With another one than before the disk is empty.");
        o.check([](EdgeCacheDisk& given, const Node& node, Decoder& decoder) {
          if (given.key && given.key->source == Secret::Source::Sops)
            decoder.error(Code::NotSupportedValue, node.locate("key").mark,
                          "the disk is opened before there is any secret of the repository",
                          "write valueFrom: {credential: cache-disk-key}");
        });
      });
  static const OptionalOf<EdgeCacheDisk> optional(disk);
  return optional;
}

void updater_fields(Object<EdgeUpdater>& o) {
  o.field("folder", &EdgeUpdater::folder,
          "Where the updater writes what is in the slots of this machine.")
      .required()
      .format(kNotEmpty);
  o.field("releases", &EdgeUpdater::releases,
          "Where this machine gets other versions from, instead of the fleet's `releases`.")
      .format(kUrl);
}

void spec_fields(Object<Edge>& o) {
  o.field("source", &Edge::source, source_type(), "The repository that the edge follows.");
  static const Object<EdgeVerify> verify(
      "EdgeVerify", "Which commits are trusted; without it, all that the source gives.",
      verify_fields);
  o.field("verify", &Edge::verify, verify,
          "Which commits are trusted; without it, all that the source gives.");
  o.nest("secrets", "EdgeSecrets", "How the edge reads secrets of the repository.", secrets_fields);
  o.field("notifications", &Edge::notifications, notifications_type(),
          "Who is told what becomes of commits.")
      .items(0, 16);
  o.check(check_notification_names);
  o.field("state", &Edge::state,
          "Folder of the journal, snapshots and the mirror of the repository.")
      .format(kNotEmpty);
  o.field("http", &Edge::http, "Where to listen for HTTP.").format(kListen).unique();
  o.field("https", &Edge::https, "Where to listen for HTTPS, on TCP and UDP.")
      .format(kListen)
      .unique();
  o.field("admin", &Edge::admin, "Where the admin endpoints listen.").format(kAdmin);
  o.field("health", &Edge::health,
          "Where `/healthz` and `/readyz` alone listen; it may be exposed.")
      .format(kListen);
  o.field("accessLog", &Edge::access_log, "File of the access log, `-` for standard output, `off`.")
      .format(kNotEmpty);
  o.field("geoip", &Edge::geoip, "File of the country database (MMDB).");
  o.field("user", &Edge::user, "The user to become once the sockets are open.");
  o.field("threads", &Edge::threads, "Worker threads; 0 is one per processor.").range(0, 1024);
  o.field("cacheMemory", &Edge::cache_memory, "Memory for the cache.").at_least(1 << 20);
  o.field("cacheEviction", &Edge::cache_eviction,
          "What goes when the cache is full: by `s3fifo`; by `lru`, what was used longest ago; by "
          "`gdsf`, what is large and seldom used.");
  o.field("cacheDisk", &Edge::cache_disk, cache_disk_type(),
          "Where what is cached is kept beyond the end of the process; without it, nowhere.");
  o.field("trustedProxies", &Edge::trusted_proxies,
          "Networks whose PROXY protocol, Forwarded and X-Forwarded-For are believed.")
      .format(kCidr);
  o.field("resolvers", &Edge::resolvers,
          "DNS servers that tell whether bots are who they say: `ADDR` or `ADDR:PORT`; without it "
          "the system's.")
      .items(0, 8)
      .format(kResolver)
      .unique();
  o.field("labels", &Edge::labels, "Free names and values of this edge.");
  o.field("limits", &Edge::limits, edge_limits_table(), "What viewers may ask of the machine.");
  static const Object<EdgeUpdater> updater(
      "EdgeUpdater", "How this edge and the updater of the appliance image talk.", updater_fields);
  o.field("updater", &Edge::updater, updater,
          "How this edge and the updater of the appliance image talk; the image sets it.");
  for (const char* name : {"snapshotDir", "cacheDirs", "parents", "wafDebugHeader", "logging"})
    o.later(name);
}

void guard_fields(Object<Fleet>& g) {
  g.field("prune", &Fleet::max_pruned_percent,
          "Of the host names, and of the behaviors, that are live. Fewer than four are never too "
          "many. A commit that means it says so in its message: `Headgate-Prune: N`, how many go.")
      .range(0, 100);
  g.field("purge", &Fleet::max_purged_percent,
          "Of the responses that an edge has cached, by a commit's invalidations; unless its "
          "message says `Headgate-Purge: N`, percent.")
      .range(0, 100);
}

const Type& change_windows_type() {
  static const Object<ChangeWindow> type(
      "ChangeWindow", "A time in which commits go live.", [](Object<ChangeWindow>& o) {
        o.field("cron", &ChangeWindow::cron,
                "When it opens: minute, hour, day of the month, month and day of the week, in UTC.")
            .required()
            .format(kCron);
        o.field("for", &ChangeWindow::open_for, "How long it is open.")
            .required()
            .range(std::chrono::minutes(1), std::chrono::hours(24 * 31));
      });
  static const ListOf<ChangeWindow> list(type);
  return list;
}

}  // namespace

const ObjectType& edge_table() {
  static const Object<Edge> table(
      "Edge", "The machine's own file; flags override it.", [](Object<Edge>& o) {
        envelope(o, "Edge", Labels::No, false);
        o.nest("spec", "EdgeSpec", "How this machine runs.", spec_fields).required();
      });
  return table;
}

const ObjectType& fleet_table() {
  static const Object<Fleet> table(
      "Fleet", "What holds for every edge that follows the repository.", [](Object<Fleet>& o) {
        envelope(o, "Fleet", Labels::Yes, false);
        o.nest(
            "spec", "FleetSpec", "What commits may do at once, and when; what machines run.",
            [](Object<Fleet>& s) {
              s.nest("guards", "FleetGuards",
                     "How much may go at once, in percent. A commit is judged by the version "
                     "that is live.",
                     guard_fields);
              s.field("changeWindows", &Fleet::change_windows, change_windows_type(),
                      "When commits go live; outside of these they wait.")
                  .items(1, kMaxChangeWindows);
              s.field(
                   "version", &Fleet::version,
                   "The version of the appliance image that machines shall run: those with an "
                   "older "
                   "one upgrade themselves, in a change window, and go back when it does not come "
                   "up in good health. Packages and containers take no notice.")
                  .format(kImageVersion);
              s.field("releases", &Fleet::releases,
                      "Where machines get it: the URL of a folder with `headgate_VERSION.upgrade`. "
                      "What is there is taken only with the signature of a release signer of the "
                      "machine's image.")
                  .format(kUrl);
              for (const char* name : {"defaults", "waves", "rollout", "suspend", "verify"})
                s.later(name);
            });
      });
  return table;
}

}  // namespace headgate::schema
