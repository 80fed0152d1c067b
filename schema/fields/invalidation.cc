// SPDX-License-Identifier: MIT
// Fields of `kind: Invalidation` and `kind: InvalidationSchedule`: facts over the cache.
#include <algorithm>

#include "schema/fields/choices.h"
#include "schema/fields/envelope.h"
#include "schema/fields/kinds.h"
#include "schema/fields/warm.h"

namespace headgate::schema {
namespace {

/// CloudFront's limit for one batch.
constexpr std::size_t kMaxPaths = 3000;
constexpr Duration kMaxRetention = std::chrono::hours(24 * 30);

/// "#tag" among the paths is a tag, as CloudFront writes it.
void move_tags(InvalidationSelect& select, const Node&, Decoder&) {
  const auto first_tag =
      std::stable_partition(select.paths.begin(), select.paths.end(),
                            [](const std::string& path) { return !path.starts_with('#'); });
  for (auto tag = first_tag; tag != select.paths.end(); ++tag)
    select.tags.push_back(tag->substr(1));
  select.paths.erase(first_tag, select.paths.end());
}

void select_fields(Object<InvalidationSelect>& o) {
  using Select = InvalidationSelect;
  o.field("paths", &Select::paths,
          "Paths with their query string; `*` stands for any characters. `#name` is a tag.")
      .items(1, kMaxPaths)
      .format(kInvalidationPath);
  o.field("tags", &Select::tags, "Tags that the origin gave in `Surrogate-Key` or `Cache-Tag`.")
      .items(1, kMaxPaths)
      .format(kCacheTag);
  o.field("hosts", &Select::hosts, "Host names under which the objects are served.")
      .items(1, 100)
      .format(kDomainName);
  o.field("contentTypes", &Select::content_types, "Media types, such as `image/webp` or `image/*`.")
      .items(1, 100)
      .format(kMediaType);
  o.field("statusCodes", &Select::status_codes, "Status codes that the origin answered with.")
      .items(1, 100)
      .range(200, 599);
  o.field("storedBefore", &Select::stored_before,
          "Objects that came from the origin, or were confirmed by it, before this moment.");
  o.field("fetchedUnder", &Select::fetched_under,
          "Objects that were fetched while this commit served: what a deployment put there.")
      .format(kCommit);
  o.field("behavior", &Select::behavior, "Objects that the behavior of this path pattern fetched.");
  o.check(move_tags);
}

const Type& select_type() {
  static const Object<InvalidationSelect> type(
      "InvalidationSelect",
      "Which objects become invalid: those that have one of `paths` or `tags`, and meet every "
      "other condition that is given.",
      [](Object<InvalidationSelect>& o) {
        select_fields(o);
        o.require_one_of({"paths", "tags", "hosts", "contentTypes", "statusCodes", "storedBefore",
                          "fetchedUnder", "behavior"});
      });
  return type;
}

// What an invalidation and a schedule of them share.

template <class T>
void distribution_field(Object<T>& o) {
  o.field("distribution", &T::distribution, "The distribution whose objects become invalid.")
      .required()
      .format(kResourceName);
}

template <class T>
void mode_fields(Object<T>& o) {
  o.field("mode", &T::mode, "Whether objects are revalidated at the next request, or deleted.");
  o.field("retainFor", &T::retain_for,
          "How long the objects are kept so that the invalidation can be undone.")
      .range(Duration::zero(), kMaxRetention);
}

void spec_fields(Object<Invalidation>& o) {
  distribution_field(o);
  o.field("select", &Invalidation::select, select_type(), "Which objects become invalid.");
  mode_fields(o);
  o.field("nonce", &Invalidation::nonce, "A new value runs the invalidation again.")
      .max_length(128)
      .format(kResourceName);
  o.field("notBefore", &Invalidation::not_before,
          "When it runs; until then it is `Pending`, and removing the file cancels it.");
  o.field("undoes", &Invalidation::undoes,
          "The id of an invalidation of the same distribution that is taken back, within its "
          "`retainFor`, for objects that have not been fetched anew.")
      .format(kInvalidationId);
  o.require_one_of({"select", "undoes"});
  o.field("warm", &Invalidation::warm, invalidation_warm_type(),
          "What the edge asks for as soon as the invalidation is in force.");
  o.field("ttl", &Invalidation::ttl,
          "How long its file belongs into the repository; after that `headgate validate` says that "
          "it may go.")
      .at_least(1);
  o.check([](Invalidation& invalidation, const Node& node, Decoder& decoder) {
    if (const Node* ttl = node.find("ttl"); ttl != nullptr) {
      invalidation.ttl_line = static_cast<int>(ttl->mark.line);
      invalidation.ttl_column = static_cast<int>(ttl->mark.column);
    }
    if (invalidation.undoes.empty()) return;
    for (const char* name : {"select", "mode", "retainFor"})
      if (const Node* other = node.find(name); other != nullptr)
        decoder.error(Code::Combination, other->key_mark,
                      fmt::format("`{}` has no meaning beside `undoes`", name), "remove it");
  });
}

}  // namespace

const ObjectType& invalidation_table() {
  static const Object<Invalidation> table(
      "Invalidation",
      "Cached objects that are no longer good; its name is CloudFront's CallerReference.",
      [](Object<Invalidation>& o) {
        envelope(o, "Invalidation", Labels::No);
        o.nest("spec", "InvalidationSpec", "What becomes invalid, and how.", spec_fields);
        o.check([](Invalidation& invalidation, const Node& node, Decoder& decoder) {
          invalidation.file = decoder.file();
          invalidation.line = static_cast<int>(node.mark.line);
        });
      });
  return table;
}

const ObjectType& invalidation_schedule_table() {
  using Schedule = InvalidationSchedule;
  static const Object<Schedule> table(
      "InvalidationSchedule",
      "An invalidation at each tick of a schedule; ticks missed while the edge was down become "
      "one.",
      [](Object<Schedule>& o) {
        envelope(o, "InvalidationSchedule", Labels::No);
        o.nest("spec", "InvalidationScheduleSpec", "What becomes invalid, how, and when.",
               [](Object<Schedule>& s) {
                 distribution_field(s);
                 s.field("cron", &Schedule::cron,
                         "Minute, hour, day of the month, month and day of the week, in UTC.")
                     .required()
                     .format(kCron);
                 s.field("select", &Schedule::select, select_type(),
                         "Which objects become invalid.")
                     .required();
                 mode_fields(s);
               });
      });
  return table;
}

}  // namespace headgate::schema
