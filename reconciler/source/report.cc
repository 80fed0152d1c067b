// SPDX-License-Identifier: MIT
// What is known about each URL of the source, for conditions, /status and metrics.
#include "reconciler/source/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "schema/base/units.h"

namespace headgate::reconciler {
namespace {

using State = RemoteReport::State;

/// By what says most: what must not be followed before what cannot be asked.
constexpr std::array<std::pair<State, const char*>, 3> kTroubles = {
    {{State::Diverged, "Diverged"}, {State::Behind, "Behind"}, {State::Failed, "FellBack"}}};

constexpr std::array<State, 4> kAnswers = {State::Serving, State::Failed, State::Behind,
                                           State::Diverged};

bool is_trouble(State state) {
  return std::any_of(kTroubles.begin(), kTroubles.end(),
                     [&](const auto& trouble) { return trouble.first == state; });
}

/// As the value of a label has it.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

std::string_view name(State state) {
  switch (state) {
    case State::Unasked:
      return "unasked";
    case State::Serving:
      return "serving";
    case State::Standby:
      return "standby";
    case State::Failed:
      return "failed";
    case State::Behind:
      return "behind";
    case State::Diverged:
      return "diverged";
  }
  return "";
}

std::string SourceReport::trouble() const {
  const auto fails = [](const RemoteReport& remote) { return remote.state == State::Failed; };
  if (remotes.size() < 2 || std::all_of(remotes.begin(), remotes.end(), fails)) return {};
  for (const auto& [state, word] : kTroubles)
    for (const RemoteReport& remote : remotes)
      if (remote.state == state) return word;
  return {};
}

std::string SourceReport::explain() const {
  std::string text;
  const auto add = [&](const std::string& line) { text += (text.empty() ? "" : "; ") + line; };
  for (const RemoteReport& remote : remotes)
    if (is_trouble(remote.state)) add(fmt::format("{}: {}", remote.url, remote.message));
  for (const RemoteReport& remote : remotes)
    if (remote.state == State::Serving) add(fmt::format("{} serves", remote.url));
  return text;
}

Json to_json(const SourceReport& report) {
  Json list = Json::array();
  for (const RemoteReport& remote : report.remotes)
    list.push_back(Json{
        {"url", remote.url},
        {"state", name(remote.state)},
        {"commit", remote.commit.empty() ? Json() : Json(remote.commit)},
        {"message", remote.message.empty() ? Json() : Json(remote.message)},
        {"asked", remote.asked_at ? Json(format_timestamp(*remote.asked_at)) : Json()},
    });
  return list;
}

std::vector<observe::Family> families(const SourceReport& report) {
  observe::Family serving{
      "headgate_source_serving", "1 for the URL that the source is read from.", "gauge", {}};
  observe::Family answers{"headgate_source_fetches_total",
                          "How often a URL of the source was asked, by what came of it.",
                          "counter",
                          {}};
  for (const RemoteReport& remote : report.remotes) {
    const std::string url = escaped(remote.url);
    serving.samples.push_back(
        {fmt::format(R"(url="{}")", url), remote.state == State::Serving ? 1.0 : 0.0});
    for (const State state : kAnswers) {
      const auto count = remote.answers.find(state);
      answers.samples.push_back(
          {fmt::format(R"(url="{}",result="{}")", url,
                       state == State::Serving ? std::string_view("fetched") : name(state)),
           count == remote.answers.end() ? 0.0 : static_cast<double>(count->second)});
    }
  }
  return {std::move(serving), std::move(answers)};
}

}  // namespace headgate::reconciler
