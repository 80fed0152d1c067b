// SPDX-License-Identifier: MIT
// The other kinds of a repository and of the machine: certificates, invalidations, expectations,
// the fleet, the edge itself.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "schema/base/units.h"
#include "schema/model/edge_limits.h"
#include "schema/model/notification.h"
#include "schema/model/secret.h"
#include "schema/model/source.h"
#include "schema/model/warm.h"

namespace headgate::schema {

/// `kind: Certificate`: a chain in PEM and where its key is; keys never in git.
struct Certificate {
  std::string name;
  std::string chain_pem;  ///< read from the repository (YAML: certificate: {file: certs/shop.pem}
                          ///< or inline PEM)
  Secret private_key;     ///< PEM; only valueFrom
};

/// Which stored responses become invalid (YAML: select). A response is meant when one of `paths` or
/// `tags` is its own (any, when both are empty) and when it meets each of the other members that is
/// given.
struct InvalidationSelect {
  std::vector<std::string> paths;  ///< with their query; '*' stands for any characters
  std::vector<std::string>
      tags;  ///< of Surrogate-Key and Cache-Tag, in lower case; YAML also "#tag" in paths
  std::vector<std::string> hosts;          ///< as requested, lower case, without port
  std::vector<std::string> content_types;  ///< lower case; "image/webp" or "image/*"
  std::vector<int> status_codes;
  std::optional<Timestamp> stored_before;
  std::string fetched_under;  ///< commit, or its beginning
  std::string behavior;       ///< path pattern

  bool empty() const {
    return paths.empty() && tags.empty() && hosts.empty() && content_types.empty() &&
           status_codes.empty() && !stored_before && fetched_under.empty() && behavior.empty();
  }
};

/// `kind: Invalidation`: a fact over the cache; identity is the name (CloudFront's
/// CallerReference).
struct Invalidation {
  enum class Mode { Revalidate, Delete };
  std::string name;
  std::string distribution;
  InvalidationSelect select;
  Mode mode = Mode::Revalidate;
  std::string nonce;                       ///< YAML: nonce; a new value runs it again
  std::optional<Timestamp> not_before;     ///< until then it is Pending
  Duration retain_for = Duration::zero();  ///< how long it can be undone
  std::string undoes;  ///< id of another invalidation of the distribution; then nothing is selected
  std::optional<InvalidationWarm> warm;
  std::optional<Duration> ttl;  ///< how long its file belongs into the repository
  int ttl_line = 0;             ///< where `ttl` stands
  int ttl_column = 0;
  std::string file;  ///< where it stands, for diagnostics: not part of the digest
  int line = 0;
  /// Names what was asked, not how it was written; the ledger refuses the same id with another
  /// digest.
  std::string digest() const;
  /// `name`, or `name@nonce`.
  std::string id() const;
};

/// `kind: InvalidationSchedule`: an Invalidation at each tick of `cron`, with the id
/// `NAME@2026-11-20T06:00Z`.
struct InvalidationSchedule {
  std::string name;
  std::string distribution;
  std::string cron;  ///< five fields, UTC; headgate::Cron reads it
  InvalidationSelect select;
  Invalidation::Mode mode = Invalidation::Mode::Revalidate;
  Duration retain_for = Duration::zero();
  /// What the tick at `due` asks for.
  Invalidation tick(Timestamp due) const;
};

/// One request of `kind: Expect` and what must come of it; absent members are not checked.
struct ExpectCase {
  struct Request {
    std::string method = "GET";
    std::string url;  ///< absolute, http or https
    std::vector<std::pair<std::string, std::string>> headers;
    std::string country;          ///< instead of a look-up; "" unknown
    std::string ip;               ///< client's address
    std::string body;             ///< what web ACLs see
    std::optional<Timestamp> at;  ///< when it comes; absent: now
  } request;
  /// Of the certificate that the edge shows for the request's host, at that time.
  enum class Certificate { Valid, Expired, NotYetValid, OtherHost, SelfSigned };
  struct Expected {
    std::optional<int> status;  ///< of an answer that the edge makes itself
    std::string reason;         ///< denial reason code: geo, method, waf, …
    std::string rule;           ///< of a web ACL, that refuses or challenges
    std::optional<std::vector<std::string>> matched_rules;  ///< of it, in their order
    std::optional<std::vector<std::string>> labels;         ///< that it sets, in any order
    std::string distribution;
    std::string behavior;   ///< path pattern
    std::string origin_id;  ///< origin or origin group
    std::map<std::string, std::string>
        headers;  ///< of an answer that the edge makes itself, names in lower case
    std::optional<Certificate> certificate;
    std::string key_host;                                           ///< cacheKey.host
    std::string key_path;                                           ///< cacheKey.path
    std::optional<std::string> key_device;                          ///< cacheKey.device
    std::optional<std::map<std::string, std::string>> query;        ///< cacheKey.query
    std::optional<std::map<std::string, std::string>> key_headers;  ///< cacheKey.headers
    std::optional<std::map<std::string, std::string>> cookies;      ///< cacheKey.cookies
    std::optional<Duration> ttl;  ///< of a 200 without Cache-Control or Expires
    std::optional<bool> cached;   ///< whether the cache is used at all
  } expected;                     ///< YAML: expect
  int line = 0;                   ///< where the case stands, for the report
};

struct Expect {
  std::string name;
  std::string distribution;
  std::string file;
  std::vector<ExpectCase> cases;
};

/// A time in which commits go live: from each tick of `cron` on, for `open_for`.
struct ChangeWindow {
  std::string cron;
  Duration open_for{};  ///< YAML: for
};

/// `kind: Fleet`: what holds for every edge that follows the repository.
struct Fleet {
  std::string name;
  std::map<std::string, std::string> labels;
  int max_pruned_percent = 30;   ///< YAML: guards.prune; of host names, and of behaviors
  int max_purged_percent = 100;  ///< YAML: guards.purge; of what an edge has cached
  std::vector<ChangeWindow> change_windows;  ///< empty: always
  std::string version;   ///< that machines of the appliance image shall run; empty: what each has
  std::string releases;  ///< URL of the folder that has it; empty: machines know
};

/// What commits must prove before they go live. Off while it names nobody and no commit.
struct EdgeVerify {
  std::string allowed_signers;  ///< file of ssh-keygen's format; empty: none
  std::string openpgp_keyring;  ///< file of public keys, armored or binary; empty: none
  std::string trusted_commit;   ///< full id; empty: none
  bool enabled() const {
    return !allowed_signers.empty() || !openpgp_keyring.empty() || !trusted_commit.empty();
  }
};

/// Which stored response goes when the cache is full.
enum class CacheEviction { S3Fifo, Lru, Gdsf };

/// Where what is cached is kept beyond the end of the process.
struct EdgeCacheDisk {
  static constexpr std::uint64_t kLeastBytes = std::uint64_t{64} << 20;
  std::string path;           ///< of a file or a block device
  std::uint64_t size = 0;     ///< octets
  std::optional<Secret> key;  ///< null: what is kept lies there in clear
};

/// How the edge and the updater of the appliance image talk.
struct EdgeUpdater {
  std::string folder;    ///< of what it tells; empty: this machine has none
  std::string releases;  ///< URL, instead of the fleet's; empty: the fleet's
};

/// `kind: Edge`: the machine's own file, not in the repository it follows. Flags override it.
struct Edge {
  std::string name;  ///< metadata.name; may be empty
  EdgeSource source;
  EdgeVerify verify;
  std::optional<Secret> age_identity;  ///< YAML: secrets.ageIdentity
  std::vector<Notification> notifications;
  std::string state = "/var/lib/headgate";
  std::vector<std::string> http;         ///< ADDR:PORT
  std::vector<std::string> https;        ///< ADDR:PORT
  std::string admin = "127.0.0.1:9900";  ///< ADDR:PORT or unix:PATH
  std::string health;                    ///< ADDR:PORT; empty: none
  std::string access_log = "off";        ///< PATH, "-" or "off"
  std::string geoip;                     ///< FILE.mmdb; empty: none
  std::string user;                      ///< drop to this user after binding; empty: do not
  std::uint32_t threads = 0;             ///< 0: one per processor
  std::uint64_t cache_memory = std::uint64_t{1} << 30;
  CacheEviction cache_eviction = CacheEviction::S3Fifo;
  std::optional<EdgeCacheDisk> cache_disk;
  std::vector<std::string>
      trusted_proxies;  ///< CIDRs whose PROXY, Forwarded and X-Forwarded-For are believed
  std::vector<std::string> resolvers;  ///< DNS servers, ADDR or ADDR:PORT; empty: the system's
  std::map<std::string, std::string> labels;
  EdgeLimits limits;
  EdgeUpdater updater;
  std::string waf_debug_header;  ///< only a flag; empty: none
};

}  // namespace headgate::schema
