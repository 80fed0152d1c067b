// SPDX-License-Identifier: MIT
// Reads the objects of a repository through git: what its files do to the one who reads them, they
// do to another process.
#include "reconciler/source/objects/object_reader.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "schema/text.h"

namespace headgate::reconciler {
namespace {

constexpr Duration kPatience = std::chrono::seconds(30);  // a disk may have to spin up
constexpr std::size_t kQuestionsAtOnce =
    500;  // what both ends' sockets hold: nobody waits for the other

/// As git reads a list of folders (environment variables of git(1)).
std::string quote(const std::string& folder) {
  std::string quoted = "\"";
  for (const char c : folder) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

/// "ID TYPE SIZE"; anything else ("ID missing", "ID ambiguous") is no object.
std::optional<ObjectHeader> parse_header(const std::string& line) {
  const std::size_t type = line.find(' ');
  const std::size_t size = line.rfind(' ');
  if (type == std::string::npos || size == type) return std::nullopt;
  ObjectHeader header{line.substr(0, type), line.substr(type + 1, size - type - 1), 0};
  const char* end = line.data() + line.size();
  const auto [stop, error] = std::from_chars(line.data() + size + 1, end, header.size);
  if (error != std::errc() || stop != end) return std::nullopt;
  return header;
}

bool is_id(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
}

}  // namespace

void ObjectReader::add(const std::string& objects_folder) {
  others_.push_back(objects_folder);
  rest();
}

Status ObjectReader::start() {
  Program program;
  program.argv = {"git", "cat-file", "--batch-command"};
  program.environment = {
      "LC_ALL=C",
      "GIT_DIR=" + git_folder_,
      "GIT_CONFIG_NOSYSTEM=1",
      "GIT_CONFIG_GLOBAL=/dev/null",
      "GIT_NO_REPLACE_OBJECTS=1",  // what was signed is what is read
      "GIT_ALLOW_PROTOCOL=none",   // of a partial clone, nothing is fetched
      "GIT_TERMINAL_PROMPT=0",
      "GIT_OPTIONAL_LOCKS=0",
  };
  if (const char* path = std::getenv("PATH"); path != nullptr)
    program.environment.push_back(std::string("PATH=") + path);
  std::string others;
  for (const std::string& folder : others_) others += (others.empty() ? "" : ":") + quote(folder);
  if (!others.empty()) program.environment.push_back("GIT_ALTERNATE_OBJECT_DIRECTORIES=" + others);
  HG_TRY(git_, Coprocess::start(program, kPatience), "reading objects");
  return {};
}

/// Twice, when it fails: the program may have ended with the thread that had started it, or have
/// been killed; an object that kills it does so again.
template <class Conversation>
auto ObjectReader::ask(const Conversation& conversation) -> decltype(conversation()) {
  for (bool is_last = git_ == nullptr;; is_last = true) {
    if (git_ == nullptr) HG_CHECK(start(), "{}", git_folder_);
    auto answer = conversation();
    if (answer) return answer;
    rest();
    if (is_last) return answer;
  }
}

Result<std::optional<ObjectHeader>> ObjectReader::read_header(const std::string& id) {
  HG_TRY(const std::string line, git_->read_line(), "reading objects");
  if (line == id + " ambiguous")
    return fail(Blame::Config, "several objects' ids begin with {}", id);
  auto header = parse_header(line);
  // A ref of that name goes before the beginning of an id.
  if (header && !header->id.starts_with(id)) header.reset();
  return header;
}

Result<std::optional<ObjectHeader>> ObjectReader::header(const std::string& id) {
  HG_TRY(auto found, headers({id}), "{}", git_folder_);
  return std::move(found.front());
}

Result<std::vector<std::optional<ObjectHeader>>> ObjectReader::headers(
    const std::vector<std::string>& ids) {
  std::vector<std::optional<ObjectHeader>> found;
  found.reserve(ids.size());
  for (std::size_t begin = 0; begin < ids.size(); begin = found.size()) {
    const std::size_t end = std::min(ids.size(), begin + kQuestionsAtOnce);
    std::string questions;
    for (std::size_t i = begin; i < end; ++i) {
      if (!is_id(ids[i])) return fail(Blame::Self, "{} is not an id", schema::in_quotes(ids[i]));
      questions += "info " + ids[i] + "\n";
    }
    const Status answered = ask([&]() -> Status {
      found.resize(begin);
      if (Status asked = git_->write(questions); !asked) return asked;
      while (found.size() < end) {
        HG_TRY(auto header, read_header(ids[found.size()]), "{}", git_folder_);
        found.push_back(std::move(header));
      }
      return {};
    });
    if (!answered) return tl::unexpected<Error>(answered.error());
  }
  return found;
}

Result<std::optional<ObjectContent>> ObjectReader::read(const std::string& id) {
  if (!is_id(id)) return fail(Blame::Self, "{} is not an id", schema::in_quotes(id));
  return ask([&]() -> Result<std::optional<ObjectContent>> {
    HG_CHECK(git_->write("contents " + id + "\n"), "{}", id);
    HG_TRY(auto header, read_header(id), "{}", git_folder_);
    if (!header) return std::optional<ObjectContent>();
    if (header->size > kMaxOctets)
      return fail(Blame::Self, "{} is larger than {}", id, format_size(kMaxOctets));
    HG_TRY(std::string octets, git_->read(header->size), "{}", id);
    HG_TRY(const std::string end, git_->read(1), "{}", id);
    if (end != "\n") return fail(Blame::Self, "{}: an answer that is not git's", id);
    return ObjectContent{std::move(*header), std::move(octets)};
  });
}

}  // namespace headgate::reconciler
