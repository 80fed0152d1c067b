// SPDX-License-Identifier: MIT
// Reads ssh-keygen's ALLOWED SIGNERS: whose SSH keys are believed, and when.
#include "reconciler/trust/signature/allowed_signers.h"

#include <algorithm>
#include <ctime>

#include "appliance/base/base64.h"
#include "reconciler/trust/signature/encoding.h"
#include "schema/text.h"
#include "schema/validate/syntax.h"

namespace headgate::reconciler {
namespace {

constexpr std::size_t kMaxKeys = 10'000;

/// The next word; blanks inside double quotes are part of it, as sshd(8) reads options.
std::string_view take_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  bool quoted = false;
  std::size_t end = 0;
  for (; end < line.size(); ++end) {
    if (line[end] == '"') quoted = !quoted;
    if (!quoted && (line[end] == ' ' || line[end] == '\t')) break;
  }
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(end);
  return word;
}

std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> parts;
  for (bool quoted = false; const char c : list) {
    if (parts.empty()) parts.emplace_back();
    if (c == '"') quoted = !quoted;
    if (c == ',' && !quoted)
      parts.emplace_back();
    else
      parts.back().push_back(c);
  }
  return parts;
}

std::string unquoted(std::string text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"')
    text = text.substr(1, text.size() - 2);
  return text;
}

/// YYYYMMDD[HHMM[SS]]Z.
Result<std::int64_t> parse_time(const std::string& text) {
  if (!text.ends_with('Z'))
    return fail(Blame::Config,
                "the time {} has no Z: without it, it would be another one on "
                "every machine",
                schema::in_quotes(text));
  const std::string digits = text.substr(0, text.size() - 1);
  const bool good = (digits.size() == 8 || digits.size() == 12 || digits.size() == 14) &&
                    digits.find_first_not_of("0123456789") == std::string::npos;
  if (!good) return fail(Blame::Config, "{} is not YYYYMMDD[HHMM[SS]]Z", schema::in_quotes(text));
  const std::string full = digits + std::string(14 - digits.size(), '0');
  const auto number = [&](std::size_t at, std::size_t size) {
    return std::stoi(full.substr(at, size));
  };
  std::tm parts{};
  parts.tm_year = number(0, 4) - 1900;
  parts.tm_mon = number(4, 2) - 1;
  parts.tm_mday = number(6, 2);
  parts.tm_hour = number(8, 2);
  parts.tm_min = number(10, 2);
  parts.tm_sec = number(12, 2);
  const std::tm written = parts;
  const std::time_t time = ::timegm(&parts);
  if (parts.tm_mon != written.tm_mon || parts.tm_mday != written.tm_mday ||
      parts.tm_hour != written.tm_hour || parts.tm_min != written.tm_min ||
      parts.tm_sec != written.tm_sec)
    return fail(Blame::Config, "there is no time {}", schema::in_quotes(text));
  return static_cast<std::int64_t>(time);
}

struct Options {
  bool for_git = true;
  std::optional<std::int64_t> valid_after;
  std::optional<std::int64_t> valid_before;
};

Status read_options(std::string_view word, Options& options) {
  for (const std::string& option : split(word)) {
    const std::size_t equals = std::min(option.find('='), option.size());
    const std::string name = schema::to_lower(option.substr(0, equals));
    const std::string value = unquoted(option.substr(std::min(equals + 1, option.size())));
    if (name == "valid-after") {
      HG_TRY(options.valid_after, parse_time(value), "valid-after");
    } else if (name == "valid-before") {
      HG_TRY(options.valid_before, parse_time(value), "valid-before");
    } else if (name == "namespaces") {
      const std::vector<std::string> names = split(value);
      options.for_git = std::any_of(names.begin(), names.end(), [](const std::string& each) {
        return each == "git" || each == "*";
      });
    } else {
      return fail(Blame::Config, "{} is not supported", schema::in_quotes(option));
    }
  }
  return {};
}

bool is_key_type(std::string_view word) {
  return word.starts_with("ssh-") || word.starts_with("ecdsa-") || word.starts_with("sk-");
}

Status read_line(std::string_view line, std::vector<AllowedKey>& keys) {
  std::vector<std::string> names = split(unquoted(std::string(take_word(line))));
  for (std::string& name : names)
    if (const std::string expected = schema::kSignerName.check(name); !expected.empty())
      return fail(Blame::Config, "{} is not the name of a signer: {}", schema::in_quotes(name),
                  expected);
  Options options;
  std::string_view word = take_word(line);
  if (!is_key_type(word)) {
    HG_CHECK(read_options(word, options), "options");
    word = take_word(line);
  }
  const auto blob = base::decode_base64(take_word(line));
  if (!is_key_type(word) || !blob || blob->empty())
    return fail(Blame::Config, "a line is NAME[,NAME…] [OPTIONS] TYPE KEY");
  HG_TRY(SshKey key, SshKey::parse(*blob), "the key of {}", names.front());
  if (!blob->starts_with(ssh_text(word)))
    return fail(Blame::Config, "the key of {} is not of the type {}", names.front(), word);
  if (options.for_git)
    keys.push_back({std::move(key), std::move(names), options.valid_after, options.valid_before});
  return {};
}

}  // namespace

Result<std::vector<AllowedKey>> parse_allowed_signers(std::string_view text) {
  std::vector<AllowedKey> keys;
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    if (line.empty() || line.front() == '#') continue;
    HG_CHECK(read_line(line, keys), "line {}", number);
    if (keys.size() > kMaxKeys) return fail(Blame::Config, "more than {} keys", kMaxKeys);
  }
  return keys;
}

}  // namespace headgate::reconciler
