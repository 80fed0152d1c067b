// SPDX-License-Identifier: MIT
// The list of diagnostics with their meaning.
#include "schema/codes.h"

#include <fmt/format.h>

namespace headgate::schema {

const std::vector<CodeInfo>& codes() {
  static const std::vector<CodeInfo> list = {
      {Code::FileTooLarge, "A file is larger than 1 MiB.",
       "Split it: any file may hold resources."},
      {Code::NotUtf8, "A file is not UTF-8.", "Save it as UTF-8."},
      {Code::ControlCharacter, "A file contains NUL or another control character.",
       "Remove it, or write it as an escape in double quotes."},
      {Code::Tab, "A line is indented with a tab.", "Indent with spaces."},
      {Code::Syntax, "The YAML cannot be read.", "Mend the line that is named."},
      {Code::UnterminatedQuote, "A quote is opened and not closed.", "Close it."},
      {Code::Alias, "An anchor (`&`) or alias (`*`) is used.",
       "Write the value out; quote a text that starts with `*` or `&`."},
      {Code::Tag, "A YAML tag other than `!!str`, `!!map` or `!!seq` is used.", "Remove the tag."},
      {Code::DuplicateKey, "A key occurs twice in a map.", "Keep one of them."},
      {Code::TooDeep, "Maps and lists are nested more than 64 deep.", "Flatten them."},
      {Code::NotAMap, "A document is not a map.",
       "A resource has `apiVersion`, `kind`, `metadata` and `spec`."},
      {Code::KeyNotText, "A key is a list, a map or empty.", "Keys are plain text."},
      {Code::NoResource, "A file holds no resource.",
       "Add one, delete the file, or name it in `.headgateignore`."},
      {Code::TooManyNodes, "A file holds more than 200,000 values.", "Split it."},
      {Code::Unreadable, "A file cannot be read.", "See the reason in the message."},
      {Code::TooManyFiles, "The repository holds more than 100,000 YAML files.",
       "Name what is not configuration in `.headgateignore`."},
      {Code::TooManyProblems, "A file has more than 200 problems.", "Mend those that are shown."},

      {Code::ApiVersion, "`apiVersion` is missing or not `headgate/v1`.",
       "Write `apiVersion: headgate/v1`."},
      {Code::KindMissing, "A document has no `kind`.", "Add one."},
      {Code::KindUnknown, "The `kind` is not known.", "See the reference."},
      {Code::KindNotSupported, "The `kind` is not supported by this version of headgate.",
       "Remove the resource or upgrade."},
      {Code::KindElsewhere, "The `kind` does not belong into this file.",
       "`Edge` is the machine's own file; all else belongs into the repository."},

      {Code::FieldUnknown, "A field is not known.", "See the hint and the reference."},
      {Code::FieldNotSupported, "A field is not supported by this version of headgate.",
       "Remove it or upgrade."},
      {Code::FieldMissing, "A required field is missing.", "Add it."},
      {Code::WrongType, "A value has the wrong type.", "See the message."},
      {Code::OutOfRange, "A value is too small or too large.", "See the range in the message."},
      {Code::NotAChoice, "A value is not one of the choices.", "Take one of those listed."},
      {Code::Malformed, "A value has the wrong form.", "See the message."},
      {Code::BooleanForText, "A boolean or nothing stands where text is expected.",
       "Quote it: some YAML tools turn Norway's `NO` into `false`."},
      {Code::ItemCount, "A list has too few or too many items.", "See the message."},
      {Code::DuplicateItem, "A list names something twice.", "Keep one of them."},
      {Code::Combination, "Fields contradict each other.", "See the message."},
      {Code::NotSupportedValue, "A value is not supported by this version of headgate.",
       "Take another one or upgrade."},

      {Code::DuplicateResource, "Two resources of a kind have the same name.", "Rename one."},
      {Code::DuplicateAlias, "Two distributions claim the same alias.",
       "An alias belongs to one distribution."},
      {Code::OriginUnknown, "There is no such origin or origin group.", "See the hint."},
      {Code::PolicyUnknown, "There is no such policy.",
       "Name a policy of the repository, a `Managed-…` one or CloudFront's id."},
      {Code::CertificateUnknown, "There is no such certificate.", "Add a `kind: Certificate`."},
      {Code::DistributionUnknown, "There is no such distribution.", "See the hint."},
      {Code::DuplicateOriginId, "Two origins or origin groups have the same id.", "Rename one."},
      {Code::MemberUnknown, "A member of an origin group is not an origin.", "See the hint."},
      {Code::FileMissing, "A file that is referred to does not exist.",
       "Paths are relative to the file that names them, or to the repository."},
      {Code::FileOutside, "A path leaves the repository.", "Keep the file in the repository."},
      {Code::ReferencedFileTooLarge, "A file that is referred to is larger than 1 MiB.",
       "Serve it from an origin."},
      {Code::BehaviorUnknown, "There is no behavior with that path pattern.", "See the hint."},
      {Code::HostUnknown, "A distribution does not serve a host.", "See the hint."},
      {Code::WebAclUnknown, "There is no such web ACL.", "Add a `kind: WebACL`."},
      {Code::IpSetUnknown, "A web ACL has no such IP set.", "Add it to `ipSets`."},
      {Code::LabelUnknown, "No earlier rule of a web ACL sets a label, and none of its bots.",
       "Set it with `labels`, move the rule that sets it up, or name the bot in `bots`."},

      {Code::TtlOrder, "`minTTL` ≤ `defaultTTL` ≤ `maxTTL` does not hold.",
       "CloudFront's `InvalidTTLOrder`."},
      {Code::NotPem, "A file or text is not PEM.", "Give a `-----BEGIN CERTIFICATE-----` block."},
      {Code::KeyInRepository, "A private key is in the repository.",
       "Take it out, replace it, and use `valueFrom`."},
      {Code::ForbiddenHeader, "A header may not be set, removed or forwarded.",
       "The edge owns framing, hop-by-hop and forwarding headers."},
      {Code::CloudFrontLimit, "A quota of CloudFront is exceeded.",
       "Headgate serves it; CloudFront would need a raised quota."},
      {Code::Unreachable, "A behavior can never match.", "Move it up or remove it."},
      {Code::OriginUnused, "No behavior or origin group uses an origin.", "Use it or remove it."},
      {Code::NothingToServe, "The repository has no distribution.", "Add one."},
      {Code::CountryUnknown, "A location is not an ISO 3166-1 alpha-2 code.", "See the hint."},
      {Code::NoEffect, "A setting does nothing beside the others.", "See the hint."},
      {Code::InvalidationExpired, "The `ttl` of an invalidation is over.",
       "Remove its file: what it did stays done."},
      {Code::RegexSyntax, "A regular expression cannot be compiled.",
       "The message says at which character."},
      {Code::NeverMatches, "A statement can never match.", "See the hint."},

      {Code::InvalidationDigestMismatch, "An invalidation ran before with other content.",
       "Give it a new name or `nonce`."},
      {Code::ExpectationFailed, "A case of `kind: Expect` fails.",
       "Mend the configuration or the case; `headgate explain` shows the decision."},
      {Code::TooManyInvalidationPatterns,
       "More invalidations with globs or conditions are active than an edge keeps.",
       "It tries again by itself when some have been swept; use exact paths, prefixes or tags."},
  };
  return list;
}

std::string codes_markdown() {
  std::string table = "| code | what is wrong | what to do |\n|---|---|---|\n";
  for (const CodeInfo& info : codes())
    table += fmt::format("| HG{:04} | {} | {} |\n", static_cast<int>(info.code), info.meaning,
                         info.remedy);
  return table;
}

}  // namespace headgate::schema
