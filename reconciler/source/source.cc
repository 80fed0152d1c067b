// SPDX-License-Identifier: MIT
// The repository that the appliance follows, at one URL or several: fetched into a bare mirror of
// our own, read from there.
//
// When a fetch fails although the remote answered, the mirror is suspected: it is removed, made
// again, and everything is asked once more.
#include "reconciler/source/source.h"

#include <algorithm>

#include "schema/text.h"

namespace headgate::reconciler {
namespace {

constexpr const char* kLocalRef = "refs/headgate/followed";

/// What git check-ref-format allows, near enough to keep options and patterns out.
bool is_ref_name(std::string_view name) {
  if (name.empty() || name.starts_with('-') || name.starts_with('/') || name.ends_with('/') ||
      name.ends_with('.') || name.ends_with(".lock"))
    return false;
  if (name.find("..") != std::string_view::npos || name.find("//") != std::string_view::npos ||
      name.find("@{") != std::string_view::npos)
    return false;
  return std::none_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == 0x7f ||
           std::string_view("~^:?*[\\").find(c) != std::string_view::npos;
  });
}

std::string short_id(const std::string& commit) { return commit.substr(0, 7); }

/// Whether nothing is known to be wrong with a URL when another one serves `commit`.
bool is_well(const RemoteReport& remote, const std::string& commit) {
  return remote.state == RemoteReport::State::Serving ||
         (remote.state != RemoteReport::State::Failed && remote.commit == commit);
}

Result<std::vector<Location>> parse_locations(const schema::EdgeSource& options) {
  if (options.urls.empty())
    return fail(Blame::Config, "no source: give a path, https:// or ssh:// with --source");
  std::vector<Location> locations;
  for (const std::string& url : options.urls) {
    HG_TRY(Location location, parse_location(url), "--source");
    locations.push_back(std::move(location));
  }
  return locations;
}

/// What is shown to the host of `location`, and to no other.
std::optional<RemoteToken> token_for(const Location& location,
                                     const std::vector<Location>& locations,
                                     const schema::EdgeSource& options) {
  if (location.transport != Location::Transport::Https) return std::nullopt;
  for (const schema::SourceCredential& credential : options.credentials)
    if (credential.host == location.authority)
      return RemoteToken{credential.user, credential.token};
  const auto first = std::find_if(locations.begin(), locations.end(), [](const Location& one) {
    return one.transport == Location::Transport::Https;
  });
  if (!options.token || first->authority != location.authority) return std::nullopt;
  const std::string user = location.user.empty() ? schema::SourceCredential().user : location.user;
  return RemoteToken{user, *options.token};
}

Status check_access(const std::vector<Location>& locations, const schema::EdgeSource& options) {
  const auto any = [&](auto predicate) {
    return std::any_of(locations.begin(), locations.end(), predicate);
  };
  const bool https =
      any([](const Location& one) { return one.transport == Location::Transport::Https; });
  if (options.token && !https)
    return fail(Blame::Config,
                "source.token (--token-file): no URL begins with https://, and it is shown to no "
                "other");
  for (const schema::SourceCredential& credential : options.credentials)
    if (!any([&](const Location& one) {
          return one.transport == Location::Transport::Https && one.authority == credential.host;
        }))
      return fail(Blame::Config, "source.credentials: no https:// URL has the host {}",
                  schema::in_quotes(credential.host));
  if (!options.proxy.empty() && !any([](const Location& one) { return one.is_http(); }))
    return fail(Blame::Config,
                "source.proxy (--proxy): no URL begins with https://; for ssh://, write ProxyJump "
                "or ProxyCommand into ~/.ssh/config");
  return {};
}

}  // namespace

Status Source::check(const schema::EdgeSource& options) {
  HG_TRY(const auto locations, parse_locations(options), "source");
  if (options.semver.empty() && !is_ref_name(options.ref))
    return fail(Blame::Config, "--ref {}: not a branch, tag or full commit id",
                schema::in_quotes(options.ref));
  if (!options.semver.empty())
    if (const auto range = SemanticRange::parse(options.semver); !range)
      return fail(Blame::Config, "--semver {}: {}", schema::in_quotes(options.semver),
                  range.error().context);
  return check_access(locations, options);
}

Result<std::unique_ptr<Source>> Source::open(const schema::EdgeSource& options,
                                             const std::string& state_directory, Clock clock) {
  if (Status good = check(options); !good) return tl::unexpected<Error>(std::move(good.error()));
  HG_TRY(const auto locations, parse_locations(options), "source");
  Followed followed{options.ref, std::nullopt, options.ref};
  if (!options.semver.empty()) {
    HG_TRY(followed.range, SemanticRange::parse(options.semver), "--semver");
    followed.text = options.semver;
  }
  const GitAccess access{options.ssh_key_file, options.known_hosts, options.proxy};
  GitCommand local({}, {}, state_directory);
  HG_CHECK(local.prepare(), "preparing git");
  std::vector<Remote> remotes;
  for (std::size_t i = 0; i < locations.size(); ++i)
    remotes.emplace_back(GitCommand(locations[i], access, state_directory), followed,
                         options.timeout, kLocalRef + (i > 0 ? fmt::format("-{}", i) : ""),
                         token_for(locations[i], locations, options));
  return std::unique_ptr<Source>(new Source(Mirror(std::move(local), state_directory + "/repo.git"),
                                            std::move(remotes), followed.text, options.layout(),
                                            std::move(clock)));
}

Source::Source(Mirror mirror, std::vector<Remote> remotes, std::string ref, schema::Layout layout,
               Clock clock)
    : mirror_(std::move(mirror)),
      remotes_(std::move(remotes)),
      ref_(std::move(ref)),
      clock_(std::move(clock)) {
  report_.layout = std::move(layout);
  for (const Remote& remote : remotes_) {
    RemoteReport report;
    report.url = remote.location().shown;
    report_.remotes.push_back(std::move(report));
  }
}

Result<std::string> Source::fetch(const Cancellation* cancellation, const std::string& live) {
  HG_CHECK(mirror_.prepare(), "source");
  auto commit = look(cancellation, live);
  const bool suspicious = std::any_of(remotes_.begin(), remotes_.end(), [](const Remote& remote) {
    return remote.suspects_mirror();
  });
  if (commit || !suspicious) return commit;
  HG_CHECK(mirror_.make_again(), "making {} again", mirror_.path());
  return look(cancellation, live);
}

/// The URLs, the one that served last first, unless it is time for those before it.
std::vector<std::size_t> Source::order() {
  std::vector<std::size_t> indices;
  const bool returns = selected_ > 0 && clock_() >= return_at_;
  if (returns) return_at_ = clock_() + kReturnAfter;
  if (!returns) indices.push_back(selected_);
  for (std::size_t i = 0; i < remotes_.size(); ++i)
    if (returns || i != selected_) indices.push_back(i);
  return indices;
}

Result<std::string> Source::look(const Cancellation* cancellation, const std::string& live) {
  std::vector<Answer> elsewhere;
  std::string failures;
  asked_.clear();
  for (const std::size_t index : order()) {
    asked_.push_back(index);
    auto found = remotes_[index].fetch(mirror_, cancellation);
    if (cancellation != nullptr && cancellation->cancelled()) return fail(Blame::Self, "stopped");
    if (!found) {
      failures += (failures.empty() ? "" : "; ") + found.error().context;
      note(index, RemoteReport::State::Failed, found.error().context);
      continue;
    }
    RemoteReport& remote = report_.remotes[index];
    remote.commit = found->commit;
    if (remote.state == RemoteReport::State::Failed) remote.state = RemoteReport::State::Standby;
    if (remotes_.size() == 1 || course_of(*found, live) == Course::Forward) {
      note_elsewhere(elsewhere, live);
      return take(index, *found);
    }
    elsewhere.push_back({index, std::move(*found)});
  }
  if (elsewhere.empty()) return fail(Blame::Self, "{}", failures);
  const Found& first = elsewhere.front().found;
  const bool all_agree = elsewhere.size() == remotes_.size() &&
                         std::all_of(elsewhere.begin(), elsewhere.end(), [&](const Answer& answer) {
                           return answer.found.commit == first.commit;
                         });
  if (all_agree) return take(0, first);
  note_elsewhere(elsewhere, live);
  return stay(live);
}

/// Once everything is in the mirror: before, what is live may not have been.
void Source::note_elsewhere(const std::vector<Answer>& answers, const std::string& live) {
  for (const Answer& answer : answers) {
    const bool behind = course_of(answer.found, live) == Course::Behind;
    note(answer.index, behind ? RemoteReport::State::Behind : RemoteReport::State::Diverged,
         fmt::format("is at {}, {}", short_id(answer.found.commit),
                     behind ? "which is older" : "which does not have what is live"));
  }
}

Source::Course Source::course_of(const Found& found, const std::string& live) const {
  const std::string& commit = found.commit;
  if (head_ && head_->version && found.version) {
    const int order = compare(*found.version, *head_->version);
    if (order != 0) return order > 0 ? Course::Forward : Course::Behind;
  }
  if (head_ && commit != head_->commit && is_ancestor(commit, head_->commit)) return Course::Behind;
  if (live.empty() || is_ancestor(live, commit)) return Course::Forward;
  return is_ancestor(commit, live) ? Course::Behind : Course::Elsewhere;
}

std::string Source::take(std::size_t index, const Found& found) {
  for (std::size_t i = 0; i < report_.remotes.size(); ++i) {
    RemoteReport& remote = report_.remotes[i];
    const bool is_old = i > index && std::find(asked_.begin(), asked_.end(), i) == asked_.end();
    if (i == index || remote.state == RemoteReport::State::Unasked) continue;
    if (!is_old && !is_well(remote, found.commit)) continue;
    remote.state = RemoteReport::State::Standby;
    remote.message.clear();
  }
  note(index, RemoteReport::State::Serving, "");
  if (index != selected_) {
    return_at_ = clock_() + kReturnAfter;
    tell("the source is read from " + report_.explain());
    selected_ = index;
  }
  if (head_ && head_->name == found.name && head_->commit != found.commit &&
      found.name.starts_with("refs/tags/"))
    tell(fmt::format("the tag {} was moved from {} to {}", short_name(found.name),
                     short_id(head_->commit), short_id(found.commit)));
  head_ = found;
  report_.name = found.name.empty() ? ref_ : short_name(found.name);
  return found.commit;
}

/// No URL leads forward, and not all of them agree to go elsewhere.
Result<std::string> Source::stay(const std::string& live) {
  const std::string& commit = head_ ? head_->commit : live;
  if (!mirror_.has_whole_tree(commit))
    return fail(Blame::Self, "no URL has {}, which is live: {}", short_id(commit),
                report_.explain());
  return commit;
}

void Source::note(std::size_t index, RemoteReport::State state, std::string message) {
  RemoteReport& remote = report_.remotes[index];
  const bool is_new = remote.state != state;
  remote.state = state;
  remote.message = std::move(message);
  remote.asked_at = base::wall_now();
  ++remote.answers[state];
  if (is_new && remotes_.size() > 1 && !remote.message.empty())
    tell(fmt::format("the source at {}: {}", remote.url, remote.message));
}

void Source::tell(std::string line) { news_.push_back(std::move(line)); }

std::vector<std::string> Source::take_news() { return std::exchange(news_, {}); }

Result<std::unique_ptr<GitTree>> Source::tree(const std::string& commit) {
  auto tree = mirror_.tree(commit);
  if (tree) (*tree)->set_layout(report_.layout);
  return tree;
}

Result<CommitInfo> Source::describe(const std::string& commit) const {
  if (repository() == nullptr) return fail(Blame::Self, "no mirror");
  return repository()->describe(commit);
}

bool Source::is_ancestor(const std::string& ancestor, const std::string& commit) const {
  return repository() != nullptr && repository()->is_ancestor(ancestor, commit);
}

}  // namespace headgate::reconciler
