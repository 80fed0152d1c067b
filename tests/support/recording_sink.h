// SPDX-License-Identifier: MIT
// An origin::Sink that remembers what it heard, in order, and does what a test hooks in.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "appliance/origin/client.h"

namespace headgate::test {

/// Threads: the loop's.
class RecordingSink : public origin::Sink {
 public:
  std::vector<int> interim;  ///< status codes of interim responses
  int heads = 0;
  int status = 0;
  std::optional<std::uint64_t> content_length;
  std::vector<std::pair<std::string, std::string>> fields;
  std::string body;
  std::size_t octets = 0;
  bool keep_body = true;
  bool complete = false;
  std::optional<origin::Failure> failure;
  std::string details;

  std::function<void()> at_head;
  /// Its result is on_octets'.
  std::function<bool()> at_octets;
  std::function<void()> at_end;

  bool ended() const { return complete || failure.has_value(); }
  std::vector<std::string> values(std::string_view name) const {
    std::vector<std::string> found;
    for (const auto& [key, value] : fields) {
      if (key == name) found.push_back(value);
    }
    return found;
  }

  void on_interim(int interim_status, http::Fields) override { interim.push_back(interim_status); }
  void on_head(const origin::ResponseHead& head) override {
    ++heads;
    status = head.status;
    content_length = head.content_length;
    fields.clear();
    for (const http::Field& field : head.fields) fields.emplace_back(field.name, field.value);
    // A hook may end this sink's owner: nothing of ours is touched after it.
    if (const auto hook = at_head) hook();
  }
  bool on_octets(std::string_view received) override {
    octets += received.size();
    if (keep_body) body.append(received);
    const auto hook = at_octets;
    return hook ? hook() : true;
  }
  void on_complete() override {
    complete = true;
    if (const auto hook = at_end) hook();
  }
  void on_failure(origin::Failure reason, std::string_view text) override {
    failure = reason;
    details = text;
    if (const auto hook = at_end) hook();
  }
};

}  // namespace headgate::test
