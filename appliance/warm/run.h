// SPDX-License-Identifier: MIT
// One run of a warm list, or of what an invalidation asks for.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "appliance/warm/agenda.h"
#include "appliance/warm/requester.h"
#include "schema/base/units.h"
#include "schema/model/warm.h"

namespace headgate::warm {

using Json = nlohmann::ordered_json;

/// What a sitemap or manifest that is being fetched lists. Threads: one.
class Document {
 public:
  explicit Document(Item::Kind kind);
  ~Document();
  /// False once it is unusable.
  bool feed(std::string_view octets);
  /// Nothing more comes.
  void end();

  struct Found {
    std::string url;
    bool is_document = false;
  };
  const std::vector<Found>& found() const { return found_; }
  const std::string& problem() const { return problem_; }  ///< empty: usable

 private:
  struct Reader;
  std::unique_ptr<Reader> reader_;
  std::vector<Found> found_;
  std::string problem_;
};

/// Threads: whoever holds the warmer's mutex.
struct Run {
  enum class State {
    Running,
    Completed,  ///< everything was asked for, with whatever success
    GaveUp,     ///< the origin failed for too long
    Replaced,   ///< another configuration has another list
    Stopped,    ///< the edge stops
  };

  Run(std::uint64_t id_, int concurrency, int rate) : id(id_), agenda(concurrency, rate) {}

  const std::uint64_t id;
  std::string list;          ///< name of the warm list; empty: of an invalidation
  std::string invalidation;  ///< id; empty: of a list
  std::string distribution;
  std::string trigger;  ///< boot, activation, purge, notBefore, command
  std::vector<std::pair<std::string, std::string>> headers;
  Agenda agenda;
  State state = State::Running;
  bool again = false;   ///< something became invalid meanwhile
  std::string problem;  ///< the last one
  Timestamp started{};
  Time began{};
  Time ended{};

  bool is_over() const { return state != State::Running; }
  /// As /warm and /status show it.
  Json to_json(Time now) const;
};

std::string_view name(Run::State state);

/// A run of `list` with what it names itself; sitemaps and manifests add more while it runs.
std::unique_ptr<Run> run_of(std::uint64_t id, const schema::WarmList& list,
                            const std::string& host);
std::unique_ptr<Run> run_of(std::uint64_t id, const std::string& invalidation,
                            const schema::InvalidationWarm& warm, const std::string& host);

}  // namespace headgate::warm
