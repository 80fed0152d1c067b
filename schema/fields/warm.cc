// SPDX-License-Identifier: MIT
// Fields of `kind: WarmList`: what the edge asks for before viewers do.
#include "schema/fields/warm.h"

#include <fmt/format.h>

#include <algorithm>

#include "schema/fields/choices.h"
#include "schema/fields/distribution/files.h"
#include "schema/fields/envelope.h"
#include "schema/fields/kinds.h"
#include "schema/text.h"
#include "schema/validate/syntax.h"

namespace headgate::schema {
namespace {

constexpr std::size_t kMaxPaths = 50'000;
constexpr int kMaxConcurrency = 64;
constexpr int kMaxRate = 10'000;

/// `manifest`, on a WarmList: a path on the distribution, or a file of the repository.
class ManifestType final : public FileTextType {
 public:
  std::string label(const Constraint&) const override { return "path or `{file: PATH}`"; }
  Json encode(const void* value, const EncodeOptions&) const override {
    const auto& list = *static_cast<const WarmList*>(value);
    if (!list.manifest.empty()) return list.manifest;
    if (list.manifest_file.empty()) return Json();
    return fmt::format("{}: sha256:{} ({} paths)", list.manifest_file,
                       sha256_hex(join(list.entries, "\n")).substr(0, 16), list.entries.size());
  }

 private:
  bool store(void* out, std::string content, const std::string& path, const Node& node,
             Decoder& decoder) const override {
    auto& list = *static_cast<WarmList*>(out);
    if (path.empty()) return store_path(list, std::move(content), node, decoder);
    list.manifest_file = path;
    return store_lines(list, content, node, decoder);
  }

  static bool store_path(WarmList& list, std::string path, const Node& node, Decoder& decoder) {
    list.manifest = std::move(path);
    const std::string expected = kPagePath.check(list.manifest);
    if (expected.empty()) return true;
    decoder.error(
        Code::Malformed, node.mark,
        fmt::format("{} is not {}: {}", in_quotes(list.manifest), kPagePath.name, expected),
        "a file of the repository is written {file: PATH}");
    return false;
  }

  static bool store_lines(WarmList& list, std::string_view rest, const Node& node,
                          Decoder& decoder) {
    for (int number = 1; !rest.empty(); ++number) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      std::string line(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
      line.erase(line.find_last_not_of(" \t\r") + 1);
      line.erase(0, line.find_first_not_of(" \t"));
      if (line.empty() || line.front() == '#') continue;
      if (const std::string expected = kPagePath.check(line); !expected.empty()) {
        decoder.error(Code::Malformed, node.mark,
                      fmt::format("line {} of {} is not {}: {}", number,
                                  in_quotes(list.manifest_file), kPagePath.name, in_quotes(line)),
                      expected);
        return false;
      }
      list.entries.push_back(std::move(line));
    }
    if (!list.entries.empty() && list.entries.size() <= kMaxPaths) return true;
    decoder.error(Code::ItemCount, node.mark,
                  fmt::format("the file {} lists {} paths, it must list 1 to {}",
                              in_quotes(list.manifest_file), list.entries.size(), kMaxPaths),
                  "one path a line; # begins a comment");
    return false;
  }
};

/// Paths of invalidations have wildcards; what is asked for cannot.
template <class T>
void check_paths(T& warm, const Node& node, Decoder& decoder) {
  for (std::size_t i = 0; i < warm.paths.size(); ++i)
    if (warm.paths[i].find('*') != std::string::npos)
      decoder.warning(Code::NoEffect, node.locate(fmt::format("paths.{}", i)).mark,
                      fmt::format("the * in {} stands for itself", in_quotes(warm.paths[i])),
                      "list what is to be asked for, or give a sitemap or manifest");
}

void check_headers(WarmList& list, const Node& node, Decoder& decoder) {
  for (const auto& [name, value] : list.headers) {
    const std::string lower = to_lower(name);
    std::string reason = forbidden_header(name, HeaderUse::Forwarded);
    if (lower == "cookie") reason.clear();  // it may be in the key
    if (lower == "host") reason = "use host:";
    if (lower == "range" || lower.starts_with("if-"))
      reason = "the whole of what is asked for is to be stored";
    if (!reason.empty())
      decoder.error(Code::ForbiddenHeader, node.locate("headers").locate(name).key_mark,
                    fmt::format("the header {} cannot be sent by a warm list", in_quotes(name)),
                    reason);
  }
}

template <class T>
void pace_fields(Object<T>& o) {
  o.field("host", &T::host,
          "The Host of the requests, one of the distribution's; without it the first alias "
          "without wildcards.")
      .format(kDomainName);
  o.field("concurrency", &T::concurrency, "How many requests are under way at most.")
      .range(1, kMaxConcurrency);
  o.field("rate", &T::rate, "How many requests begin in a second at most.").range(1, kMaxRate);
}

void spec_fields(Object<WarmList>& o) {
  o.field("distribution", &WarmList::distribution, "The distribution whose cache is filled.")
      .required()
      .format(kResourceName);
  o.field("paths", &WarmList::paths, "Paths with their query string.")
      .items(1, kMaxPaths)
      .format(kPagePath);
  o.field("sitemap", &WarmList::sitemap,
          "The path of a sitemap, or an index of sitemaps (sitemaps.org), plain or gzip, which is "
          "fetched through the edge; URLs of other hosts are passed over.")
      .format(kPagePath);
  o.whole("manifest", std::make_unique<ManifestType>(),
          "A file of the repository with a path a line, or the path of one on the distribution; "
          "there it may also be an HLS playlist, whose playlists and segments are asked for.");
  pace_fields(o);
  o.field("headers", &WarmList::headers,
          "Headers of each request, such as those that are in the cache key.")
      .keys(kHeaderName)
      .format(kHeaderValue);
  o.field("on", &WarmList::on,
          "When it runs: when the edge begins to serve, when a commit brings or changes the list "
          "or what its distribution caches, and when objects of the distribution become invalid.")
      .unique()
      .default_text("[boot, activation, purge]");
  o.field("notBefore", &WarmList::not_before,
          "A moment at which it runs, whatever `on` says; before it, it does not run.");
  o.require_one_of({"paths", "sitemap", "manifest"});
  o.check(check_paths<WarmList>);
  o.check(check_headers);
}

}  // namespace

const Type& invalidation_warm_type() {
  static const Object<InvalidationWarm> type(
      "InvalidationWarm", "What the edge asks for as soon as the invalidation is in force.",
      [](Object<InvalidationWarm>& o) {
        o.field("paths", &InvalidationWarm::paths, "Paths with their query string.")
            .required()
            .items(1, kMaxPaths)
            .format(kPagePath);
        pace_fields(o);
        o.check(check_paths<InvalidationWarm>);
      });
  static const OptionalOf<InvalidationWarm> optional(type);
  return optional;
}

const ObjectType& warm_list_table() {
  static const Object<WarmList> table(
      "WarmList", "Requests that the edge makes itself, so that viewers find the answers cached.",
      [](Object<WarmList>& o) {
        envelope(o, "WarmList", Labels::No);
        o.nest("spec", "WarmListSpec", "What is asked for, how fast, and when.", spec_fields);
      });
  return table;
}

}  // namespace headgate::schema
