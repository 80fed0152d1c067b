// SPDX-License-Identifier: MIT
// One run of a warm list, or of what an invalidation asks for.
#include "appliance/warm/run.h"

#include <fmt/format.h>

#include "appliance/warm/document/playlist.h"
#include "appliance/warm/document/sitemap.h"

namespace headgate::warm {

struct Document::Reader {
  std::unique_ptr<SitemapReader> sitemap;  ///< null: a manifest
  std::string manifest;
};

Document::Document(Item::Kind kind) : reader_(std::make_unique<Reader>()) {
  if (kind == Item::Kind::Sitemap)
    reader_->sitemap = std::make_unique<SitemapReader>([this](const std::string& url, bool more) {
      if (found_.size() <= Agenda::kMaxItems) found_.push_back({url, more});
    });
}

Document::~Document() = default;

bool Document::feed(std::string_view octets) {
  if (!problem_.empty()) return false;
  if (reader_->sitemap != nullptr) {
    if (const Status read = reader_->sitemap->feed(octets); !read) problem_ = read.error().context;
  } else if (reader_->manifest.size() + octets.size() > kMaxManifest) {
    problem_ = "it is larger than 4 MiB";
  } else {
    reader_->manifest += octets;
  }
  return problem_.empty();
}

void Document::end() {
  if (!problem_.empty()) return;
  if (reader_->sitemap != nullptr) {
    if (const Status read = reader_->sitemap->end(); !read) problem_ = read.error().context;
    return;
  }
  for (Reference& reference : read_manifest(reader_->manifest))
    found_.push_back({std::move(reference.url), reference.is_playlist});
  if (found_.empty()) problem_ = "it lists nothing";
}

std::string_view name(Run::State state) {
  switch (state) {
    case Run::State::Running:
      return "Running";
    case Run::State::Completed:
      return "Completed";
    case Run::State::GaveUp:
      return "GaveUp";
    case Run::State::Replaced:
      return "Replaced";
    case Run::State::Stopped:
      return "Stopped";
  }
  return "";
}

Json Run::to_json(Time now) const {
  const Progress& progress = agenda.progress();
  const double seconds = std::chrono::duration<double>((is_over() ? ended : now) - began).count();
  const std::uint64_t asked = progress.done + progress.failed;
  Json json;
  json["id"] = id;
  list.empty() ? json["invalidation"] = invalidation : json["list"] = list;
  json["distribution"] = distribution;
  json["trigger"] = trigger;
  json["state"] = state == State::Running && agenda.is_paused(now) ? "Paused" : name(state);
  json["total"] = progress.total;
  json["done"] = progress.done;
  json["failed"] = progress.failed;
  json["skipped"] = progress.skipped;
  json["alreadyCached"] = progress.already_cached;
  json["notStored"] = progress.not_stored;
  json["bytes"] = progress.bytes;
  json["seconds"] = seconds;
  json["rate"] = seconds > 0 ? static_cast<double>(asked) / seconds : 0.0;
  json["started"] = format_timestamp(started);
  if (!problem.empty()) json["problem"] = problem;
  return json;
}

std::unique_ptr<Run> run_of(std::uint64_t id, const schema::WarmList& list,
                            const std::string& host) {
  auto run = std::make_unique<Run>(id, list.concurrency, list.rate);
  run->list = list.name;
  run->distribution = list.distribution;
  run->headers = list.headers;
  const auto add = [&](Item::Kind kind, const std::string& path) {
    if (path.empty()) return;
    Item item;
    item.kind = kind;
    item.target = {host, path};
    run->agenda.add(std::move(item));
  };
  for (const std::string& path : list.paths) add(Item::Kind::Object, path);
  for (const std::string& path : list.entries) add(Item::Kind::Object, path);
  add(Item::Kind::Manifest, list.manifest);
  add(Item::Kind::Sitemap, list.sitemap);
  return run;
}

std::unique_ptr<Run> run_of(std::uint64_t id, const std::string& invalidation,
                            const schema::InvalidationWarm& warm, const std::string& host) {
  auto run = std::make_unique<Run>(id, warm.concurrency, warm.rate);
  run->invalidation = invalidation;
  for (const std::string& path : warm.paths) {
    Item item;
    item.target = {host, path};
    run->agenda.add(std::move(item));
  }
  return run;
}

}  // namespace headgate::warm
