// SPDX-License-Identifier: MIT
// Fields of `kind: Invalidation`: a fact over the cache.
#include "schema/fields/choices.h"
#include "schema/fields/envelope.h"
#include "schema/fields/kinds.h"

namespace headgate::schema {
namespace {

void spec_fields(Object<Invalidation>& o) {
  o.field("distribution", &Invalidation::distribution,
          "The distribution whose objects become invalid.")
      .required()
      .format(kResourceName);
  o.nest("select", "InvalidationSelect", "Which objects become invalid.",
         [](Object<Invalidation>& s) {
           s.field("paths", &Invalidation::paths,
                   "Paths with their query string: exact, or with `*` as the last character.")
               .required()
               .items(1)
               .format(kInvalidationPath);
           for (const char* name :
                {"tags", "contentTypes", "statusCodes", "storedBefore", "fetchedUnder", "behavior"})
             s.later(name);
         });
  o.field("mode", &Invalidation::mode,
          "Whether objects are revalidated at the next request, or deleted.");
  o.field("nonce", &Invalidation::nonce, "A new value runs the invalidation again.")
      .max_length(128)
      .format(kResourceName);
  for (const char* name : {"notBefore", "warm", "retainFor", "ttl", "undoes", "schedule"})
    o.later(name);
  o.check([](Invalidation& invalidation, const Node& node, Decoder& decoder) {
    for (std::size_t i = 0; i < invalidation.paths.size(); ++i)
      if (invalidation.paths[i].find('#') != std::string::npos)
        decoder.error(Code::NotSupportedValue, node.locate(fmt::format("select.paths.{}", i)).mark,
                      "cache tags (#tag) are not supported by this version of headgate");
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

}  // namespace headgate::schema
