// SPDX-License-Identifier: MIT
// A commit as git stores it: what it says, and what its signature signs.
#include "reconciler/trust/commit_object.h"

#include <algorithm>
#include <charconv>

#include "schema/text.h"

namespace headgate::reconciler {
namespace {

constexpr std::size_t kMaxParents = 64;

/// One field of the head, with the lines that continue it.
struct Field {
  std::string_view name;
  std::string value;
  std::string_view whole;  ///< as it stands there, with the ends of lines
};

Result<Field> take_field(std::string_view& rest) {
  const std::string_view all = rest;
  Field field;
  for (bool first = true; first || rest.starts_with(' '); first = false) {
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) return fail(Blame::Config, "its head has no end");
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    if (first) {
      const std::size_t blank = line.find(' ');
      if (blank == std::string_view::npos || blank == 0)
        return fail(Blame::Config, "{} is not a field", schema::in_quotes(line));
      field.name = line.substr(0, blank);
      field.value = line.substr(blank + 1);
    } else {
      field.value += '\n';
      field.value += line.substr(1);
    }
  }
  field.whole = all.substr(0, all.size() - rest.size());
  return field;
}

bool is_id(std::string_view text) {
  return text.size() == 40 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// The seconds of "Name <mail> SECONDS ZONE".
Result<std::int64_t> time_of(std::string_view person) {
  const std::size_t close = person.rfind("> ");
  std::int64_t seconds = 0;
  if (close != std::string_view::npos) {
    const std::string_view digits = person.substr(close + 2);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
    if (error == std::errc() && end != digits.data() + digits.size() && *end == ' ' && seconds >= 0)
      return seconds;
  }
  return fail(Blame::Config, "the time in {} cannot be read", schema::in_quotes(person));
}

/// The place of a field in a commit; what follows those that git always writes is free.
int rank(std::string_view name) {
  constexpr std::string_view kOrder[] = {"tree", "parent", "author", "committer"};
  const auto* found = std::find(std::begin(kOrder), std::end(kOrder), name);
  return static_cast<int>(found - std::begin(kOrder));
}

Status take(const Field& field, int before, CommitObject& commit) {
  const int now = rank(field.name);
  const bool again = now == before && now != 1 && now != 4;
  if (now < before || again || now > before + 1 + (before == 0 ? 1 : 0))
    return fail(Blame::Config, "the field {} is not where git writes it",
                schema::in_quotes(field.name));
  if (now <= 1 && !is_id(field.value))
    return fail(Blame::Config, "{} is not the id of an object", schema::in_quotes(field.value));
  if (field.name == "tree") commit.tree = field.value;
  if (field.name == "parent") commit.parents.push_back(field.value);
  if (field.name == "committer") {
    HG_TRY(commit.time, time_of(field.value), "committer");
  }
  if (field.name == "gpgsig-sha256")
    return fail(Blame::Config, "a signature for another hash is not supported");
  if (field.name == "gpgsig") {
    if (!commit.signature.empty()) return fail(Blame::Config, "there are two signatures");
    if (field.value.empty()) return fail(Blame::Config, "the signature is empty");
    commit.signature = field.value;
  }
  if (commit.parents.size() > kMaxParents)
    return fail(Blame::Config, "more than {} parents", kMaxParents);
  return {};
}

}  // namespace

Result<CommitObject> parse_commit(std::string id, std::string_view octets) {
  CommitObject commit;
  commit.id = std::move(id);
  commit.payload.reserve(octets.size());
  int before = -1;
  while (!octets.starts_with('\n')) {
    HG_TRY(const Field field, take_field(octets), "commit");
    HG_CHECK(take(field, before, commit), "commit");
    before = rank(field.name);
    if (field.name != "gpgsig") commit.payload += field.whole;
  }
  if (before < 3) return fail(Blame::Config, "commit: a field is missing");
  commit.payload += octets;
  return commit;
}

}  // namespace headgate::reconciler
