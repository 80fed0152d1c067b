// SPDX-License-Identifier: MIT
// What `headgate run` was told: the Edge file, overridden by flags and their variables.
#include "appliance/cli/run/settings.h"

#include <unistd.h>

#include <filesystem>

#include "appliance/cli/command.h"
#include "reconciler/source/source.h"
#include "reconciler/state/disk.h"
#include "schema/load.h"
#include "schema/validate/syntax.h"

namespace headgate::cli {
namespace {

constexpr std::uint64_t kMaxEdgeFileBytes = 1U << 20;
constexpr int kMaxThreads = 1024;

void add_list(CLI::App& command, const std::string& flag, std::vector<std::string>& values,
              const std::string& help, const std::string& variable, const std::string& type) {
  command.add_option(flag, values, help)
      ->envname(variable)
      ->type_name(type)
      ->take_all()
      ->allow_extra_args(false)
      ->delimiter(',');
}

Result<Settings> read_file_settings(const RunFlags& flags) {
  Settings settings;
  const bool asked_for = flags.config_option->count() > 0;
  if (!asked_for && ::access(flags.config.c_str(), F_OK) != 0) return settings;
  HG_TRY(const std::string text, reconciler::read_file(flags.config, kMaxEdgeFileBytes),
         "--config");
  schema::LoadedEdge loaded = schema::load_edge(flags.config, text);
  settings.diagnostics = std::move(loaded.diagnostics);
  if (loaded.edge != nullptr) settings.edge = *loaded.edge;
  return settings;
}

Status check_form(const schema::Format& format, const char* flag, std::string& text) {
  const std::string given = text;
  if (const std::string expected = format.check(text); !expected.empty())
    return fail(Blame::Config, "{} {}: expected {}", flag, given, expected);
  return {};
}

Result<schema::CacheEviction> parse_eviction(const std::string& name) {
  if (name == "s3fifo") return schema::CacheEviction::S3Fifo;
  if (name == "lru") return schema::CacheEviction::Lru;
  if (name == "gdsf") return schema::CacheEviction::Gdsf;
  return fail(Blame::Config, "expected s3fifo, lru or gdsf");
}

/// "PATH:SIZE"; the path may have colons of its own.
Result<schema::EdgeCacheDisk> parse_cache_disk(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0)
    return fail(Blame::Config, "expected PATH:SIZE, as in /var/cache/headgate/disk:100GiB");
  schema::EdgeCacheDisk disk;
  disk.path = text.substr(0, colon);
  HG_TRY(disk.size, parse_size(text.substr(colon + 1)), "the size");
  if (disk.size < schema::EdgeCacheDisk::kLeastBytes) return fail(Blame::Config, "at least 64MiB");
  return disk;
}

template <class T>
void lay_over(T& value, const std::optional<T>& flag) {
  if (flag) value = *flag;
}

void lay_over(std::vector<std::string>& value, const std::vector<std::string>& flag) {
  if (!flag.empty()) value = flag;
}

Status lay_over_quantities(schema::Edge& edge, const RunFlags& flags) {
  if (flags.poll) {
    HG_TRY(edge.source.poll, parse_duration(*flags.poll), "--poll {}", *flags.poll);
    if (edge.source.poll <= Duration::zero())
      return fail(Blame::Config, "--poll {}: must be longer than 0", *flags.poll);
  }
  if (flags.cache_memory) {
    HG_TRY(edge.cache_memory, parse_size(*flags.cache_memory), "--cache-memory {}",
           *flags.cache_memory);
    if (edge.cache_memory < (1U << 20))
      return fail(Blame::Config, "--cache-memory {}: at least 1MiB", *flags.cache_memory);
  }
  if (flags.cache_eviction) {
    HG_TRY(edge.cache_eviction, parse_eviction(*flags.cache_eviction), "--cache-eviction {}",
           *flags.cache_eviction);
  }
  if (flags.cache_disk) {
    HG_TRY(edge.cache_disk, parse_cache_disk(*flags.cache_disk), "--cache-disk {}",
           *flags.cache_disk);
  }
  if (flags.cache_disk_key_file) {
    if (!edge.cache_disk)
      return fail(Blame::Config, "--cache-disk-key-file {}: there is no --cache-disk",
                  *flags.cache_disk_key_file);
    edge.cache_disk->key = schema::Secret{.source = schema::Secret::Source::File,
                                          .value = {},
                                          .reference = *flags.cache_disk_key_file};
  }
  if (flags.threads) {
    if (*flags.threads < 0 || *flags.threads > kMaxThreads)
      return fail(Blame::Config, "--threads {}: 0 (one per processor) to {}", *flags.threads,
                  kMaxThreads);
    edge.threads = static_cast<std::uint32_t>(*flags.threads);
  }
  return {};
}

Status check_source(schema::Edge& edge) {
  if (edge.source.urls.empty())
    return fail(
        Blame::Config,
        "no source: give --source PATH-or-URL, HEADGATE_SOURCE, or source.url in the Edge file");
  if (Status good = check_form(schema::kFolderPath, "--path", edge.source.path); !good) return good;
  if (Status good = check_form(schema::kOverlayName, "--overlay", edge.source.overlay); !good)
    return good;
  if (!edge.source.proxy.empty())
    if (Status good = check_form(schema::kProxy, "--proxy", edge.source.proxy); !good) return good;
  return reconciler::Source::check(edge.source);
}

Status check_listeners(schema::Edge& edge) {
  if (edge.http.empty() && edge.https.empty())
    return fail(Blame::Config, "nothing to listen on: give --http ADDR:PORT or --https ADDR:PORT");
  for (std::string& address : edge.http)
    if (Status good = check_form(schema::kListen, "--http", address); !good) return good;
  for (std::string& address : edge.https)
    if (Status good = check_form(schema::kListen, "--https", address); !good) return good;
  if (Status good = check_form(schema::kAdmin, "--admin", edge.admin); !good) return good;
  if (edge.health.empty()) return {};
  return check_form(schema::kListen, "--health", edge.health);
}

Status check_rest(schema::Edge& edge) {
  if (edge.state.empty()) return fail(Blame::Config, "--state: a folder is needed");
  if (edge.access_log.empty()) return fail(Blame::Config, "--access-log: PATH, - or off");
  if (!edge.waf_debug_header.empty())
    if (Status good =
            check_form(schema::kLowerHeaderName, "--waf-debug-header", edge.waf_debug_header);
        !good)
      return good;
  if (!edge.verify.trusted_commit.empty())
    if (Status good = check_form(schema::kCommitId, "--trusted-commit", edge.verify.trusted_commit);
        !good)
      return good;
  for (std::string& network : edge.trusted_proxies)
    if (Status good = check_form(schema::kCidr, "--trusted-proxy", network); !good) return good;
  return {};
}

void lay_over_source(schema::EdgeSource& source, const RunFlags& flags) {
  if (flags.source || flags.receive) {
    source.urls.clear();
    source.receive.clear();
  }
  if (flags.source) source.urls = {*flags.source};
  source.urls.insert(source.urls.end(), flags.mirrors.begin(), flags.mirrors.end());
  lay_over(source.receive, flags.receive);
  if (flags.ref) source.semver.clear();
  lay_over(source.ref, flags.ref);
  lay_over(source.semver, flags.semver);
  lay_over(source.path, flags.path);
  lay_over(source.overlay, flags.overlay);
  lay_over(source.ssh_key_file, flags.ssh_key_file);
  lay_over(source.known_hosts, flags.known_hosts);
  lay_over(source.proxy, flags.proxy);
  if (flags.token_file)
    source.token = schema::Secret{
        .source = schema::Secret::Source::File, .value = {}, .reference = *flags.token_file};
}

Status lay_over(schema::Edge& edge, const RunFlags& flags) {
  lay_over_source(edge.source, flags);
  lay_over(edge.verify.allowed_signers, flags.allowed_signers);
  lay_over(edge.verify.openpgp_keyring, flags.openpgp_keyring);
  lay_over(edge.verify.trusted_commit, flags.trusted_commit);
  if (flags.age_identity)
    edge.age_identity = schema::Secret{
        .source = schema::Secret::Source::File, .value = {}, .reference = *flags.age_identity};
  lay_over(edge.state, flags.state);
  lay_over(edge.http, flags.http);
  lay_over(edge.https, flags.https);
  lay_over(edge.admin, flags.admin);
  lay_over(edge.health, flags.health);
  lay_over(edge.geoip, flags.geoip);
  lay_over(edge.access_log, flags.access_log);
  lay_over(edge.trusted_proxies, flags.trusted_proxies);
  lay_over(edge.user, flags.user);
  lay_over(edge.waf_debug_header, flags.waf_debug_header);
  return lay_over_quantities(edge, flags);
}

/// What is pushed is the source.
Status receive_into(Settings& settings) {
  schema::EdgeSource& source = settings.edge.source;
  if (!source.urls.empty())
    return fail(Blame::Config,
                "--receive (source.receive) and --source exclude each other: what is pushed is the "
                "source");
  if (!source.semver.empty())
    return fail(Blame::Config,
                "--receive (source.receive) and --semver exclude each other: a push is judged by "
                "the branch that is followed");
  // Hooks are run elsewhere.
  source.receive = std::filesystem::absolute(source.receive).lexically_normal().string();
  settings.receive = source.receive;
  source.urls = {source.receive};
  return {};
}

}  // namespace

void add_run_flags(CLI::App& command, RunFlags& flags) {
  flags.config_option =
      add_flag_with_value(command, "--config", flags.config,
                          "The Edge file; a missing default one is no error.", "FILE")
          ->capture_default_str();
  add_flag_with_value(command, "--source", flags.source,
                      "The repository: a path, https://, ssh:// or user@host:path.", "PATH-or-URL");
  add_flag_with_value(
      command, "--receive", flags.receive,
      "Instead of --source: a bare repository that is pushed to, made when missing. "
      "What would not go live is refused when it is pushed.",
      "DIR");
  add_list(command, "--mirror", flags.mirrors,
           "Another URL of the same repository, for when those before it do not answer or are "
           "behind; may be repeated.",
           "HEADGATE_MIRROR", "PATH-or-URL");
  add_flag_with_value(command, "--ref", flags.ref,
                      "Branch, tag or full commit id to follow [main].", "REF");
  add_flag_with_value(command, "--semver", flags.semver,
                      "Instead of --ref: the highest tag of a range of versions, as in '>=1.2 <2'.",
                      "RANGE");
  add_flag_with_value(command, "--path", flags.path,
                      "The folder of the repository that has the configuration [its root].",
                      "FOLDER");
  add_flag_with_value(command, "--overlay", flags.overlay,
                      "The folder in overlays/ whose documents are laid over the resources.",
                      "NAME");
  add_flag_with_value(command, "--poll", flags.poll, "How often to ask the source [15s].",
                      "DURATION");
  add_verify_flags(command, flags.allowed_signers, flags.openpgp_keyring);
  add_flag_with_value(command, "--trusted-commit", flags.trusted_commit,
                      "Commit that is trusted as it is, with what its signers.yaml lets follow: "
                      "where trust begins, or begins again after a rewritten history.",
                      "ID");
  add_flag_with_value(command, "--ssh-key-file", flags.ssh_key_file,
                      "The private key for an ssh:// source.", "FILE");
  add_flag_with_value(command, "--known-hosts", flags.known_hosts,
                      "The host keys that an ssh:// source may have [~/.ssh/known_hosts].", "FILE");
  add_flag_with_value(command, "--token-file", flags.token_file,
                      "A token for the host of the first https:// source; read for every fetch.",
                      "FILE");
  add_flag_with_value(command, "--proxy", flags.proxy,
                      "The proxy on the way to https:// sources: http://, https://, socks5:// or "
                      "socks5h:// [https_proxy].",
                      "URL");
  add_flag_with_value(command, "--age-identity", flags.age_identity,
                      "The age identities that *.sops.yaml of the repository are encrypted for.",
                      "FILE");
  add_flag_with_value(command, "--state", flags.state,
                      "Journal, snapshots and mirror; made when missing [/var/lib/headgate].",
                      "DIR");
  add_list(command, "--http", flags.http, "Listen for HTTP/1.1; may be repeated.", "HEADGATE_HTTP",
           "ADDR:PORT");
  add_list(command, "--https", flags.https,
           "Listen for TLS with HTTP/1.1 and HTTP/2; may be repeated.", "HEADGATE_HTTPS",
           "ADDR:PORT");
  add_flag_with_value(command, "--admin", flags.admin, "Admin endpoints [127.0.0.1:9900].",
                      "ADDR:PORT or unix:PATH");
  add_flag_with_value(command, "--health", flags.health,
                      "Only /healthz and /readyz, for load balancers.", "ADDR:PORT");
  add_flag_with_value(command, "--threads", flags.threads, "Workers; 0: one per processor [0].",
                      "N");
  add_flag_with_value(command, "--cache-memory", flags.cache_memory, "Memory for the cache [1GiB].",
                      "SIZE");
  add_flag_with_value(command, "--cache-eviction", flags.cache_eviction,
                      "What goes when it is full: by s3fifo, lru or gdsf [s3fifo].", "POLICY");
  add_flag_with_value(command, "--cache-disk", flags.cache_disk,
                      "A file, or a block device, that keeps what is cached beyond a restart.",
                      "PATH:SIZE");
  add_flag_with_value(command, "--cache-disk-key-file", flags.cache_disk_key_file,
                      "What is kept there is encrypted with this key: 32 octets or more, as of "
                      "`openssl rand -base64 32`.",
                      "FILE");
  add_flag_with_value(command, "--geoip", flags.geoip, "Country database (MMDB).", "FILE");
  add_flag_with_value(command, "--access-log", flags.access_log,
                      "JSON lines to a file, or - for standard output [off].", "PATH, - or off");
  add_list(command, "--trusted-proxy", flags.trusted_proxies,
           "Whose PROXY, Forwarded and X-Forwarded-For are believed; may be repeated.",
           "HEADGATE_TRUSTED_PROXY", "CIDR");
  add_flag_with_value(command, "--waf-debug-header", flags.waf_debug_header,
                      "For tests: every response lists the rules of web ACLs that matched in this "
                      "header.",
                      "NAME");
  add_flag_with_value(command, "--user", flags.user, "Become this user once the sockets are open.",
                      "NAME");
}

Result<Settings> read_settings(const RunFlags& flags) {
  auto settings = read_file_settings(flags);
  if (!settings || schema::has_errors(settings->diagnostics)) return settings;
  Status good = lay_over(settings->edge, flags);
  if (good && flags.receive && flags.receive->empty())
    good = fail(Blame::Config, "--receive: a folder is needed");
  if (good && !settings->edge.source.receive.empty()) good = receive_into(*settings);
  for (const auto check : {check_source, check_listeners, check_rest})
    if (good) good = check(settings->edge);
  if (!good) return tl::unexpected<Error>(std::move(good.error()));
  return settings;
}

}  // namespace headgate::cli
