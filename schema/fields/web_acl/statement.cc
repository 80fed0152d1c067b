// SPDX-License-Identifier: MIT
// Tables of statements: a map of exactly one key, which may hold further statements.
#include <fmt/format.h>

#include "schema/fields/web_acl/choices.h"
#include "schema/fields/web_acl/match.h"
#include "schema/fields/web_acl/parts.h"
#include "schema/text.h"
#include "schema/validate/syntax.h"
#include "schema/validate/web_acl.h"

namespace headgate::schema {
namespace {

constexpr std::size_t kMaxOperands = 1000;

using Kind = WafStatement::Kind;

/// A member of a statement that makes it of one kind.
template <class M>
class PartType final : public Type {
 public:
  PartType(Kind kind, M WafStatement::*member, const Type& inner)
      : kind_(kind), member_(member), inner_(inner) {}
  bool decode(const Node& node, void* out, const Constraint& constraint,
              Decoder& decoder) const override {
    auto& statement = *static_cast<WafStatement*>(out);
    statement.kind = kind_;
    return inner_.decode(node, &(statement.*member_), constraint, decoder);
  }
  Json encode(const void* value, const EncodeOptions& options) const override {
    const auto& statement = *static_cast<const WafStatement*>(value);
    // Of an empty statement, whose kind is All, there is nothing to say.
    if (statement.kind != kind_ || (kind_ == Kind::All && statement.operands.empty()))
      return Json();
    return inner_.encode(&(statement.*member_), options);
  }
  Json json_schema(const Constraint& constraint, SchemaWriter& writer) const override {
    return inner_.json_schema(constraint, writer);
  }
  std::string label(const Constraint& constraint) const override {
    return inner_.label(constraint);
  }
  const ObjectType* object() const override { return inner_.object(); }

 private:
  Kind kind_;
  M WafStatement::*member_;
  const Type& inner_;
};

/// A statement on a field.
class FieldPartType final : public Type {
 public:
  explicit FieldPartType(WafField field) : field_(field), inner_(waf_match_type(field)) {}
  bool decode(const Node& node, void* out, const Constraint& constraint,
              Decoder& decoder) const override {
    auto& statement = *static_cast<WafStatement*>(out);
    statement.kind = Kind::Field;
    statement.match.field = field_;
    return inner_.decode(node, &statement.match, constraint, decoder);
  }
  Json encode(const void* value, const EncodeOptions& options) const override {
    const auto& statement = *static_cast<const WafStatement*>(value);
    if (statement.kind != Kind::Field || statement.match.field != field_) return Json();
    EncodeOptions sparse = options;
    sparse.defaults = Defaults::LeftOut;
    return inner_.encode(&statement.match, sparse);
  }
  Json json_schema(const Constraint& constraint, SchemaWriter& writer) const override {
    return inner_.json_schema(constraint, writer);
  }
  std::string label(const Constraint& constraint) const override {
    return inner_.label(constraint);
  }
  const ObjectType* object() const override { return inner_.object(); }

 private:
  WafField field_;
  const Type& inner_;
};

/// `not`: one statement, kept as a list of one.
class OneStatementType final : public Type {
 public:
  bool decode(const Node& node, void* out, const Constraint& constraint,
              Decoder& decoder) const override {
    auto& list = *static_cast<std::vector<WafStatement>*>(out);
    list.assign(1, {});
    return waf_statement_type().decode(node, &list.front(), constraint, decoder);
  }
  Json encode(const void* value, const EncodeOptions& options) const override {
    const auto& list = *static_cast<const std::vector<WafStatement>*>(value);
    return list.empty() ? Json() : waf_statement_type().encode(&list.front(), options);
  }
  Json json_schema(const Constraint& constraint, SchemaWriter& writer) const override {
    return waf_statement_type().json_schema(constraint, writer);
  }
  std::string label(const Constraint&) const override { return "WafStatement"; }
};

const Type& statements_type() {
  static const DeferredType statement(waf_statement_type, "WafStatement");
  static const ListOf<WafStatement> list(statement);
  return list;
}

const Type& forwarded_ip_type() {
  static const Object<WafForwardedIp> type(
      "WafForwardedIp", "The client's address by a header.", [](Object<WafForwardedIp>& o) {
        o.field("in", &WafForwardedIp::sets, texts_type(), "Names of IP sets, or networks.")
            .required()
            .items(1, kMaxOperands)
            .format(kNotEmpty);
        o.field("header", &WafForwardedIp::header, "The header with addresses, comma-separated.")
            .format(kLowerHeaderName);
        o.field("position", &WafForwardedIp::position, "Which of its addresses counts.");
        o.field("missing", &WafForwardedIp::fallback, "What a request without an address means.");
      });
  return type;
}

const Type& injection_type() {
  static const Object<WafInjection> type(
      "WafInjection", "libinjection over several fields at once.", [](Object<WafInjection>& o) {
        o.field("fields", &WafInjection::fields,
                "`uri`, `path`, `query`, `args`, `arg:NAME`, `headers`, `header:NAME`, `cookies`, "
                "`cookie:NAME`, `body`, `form`, `json`.")
            .required()
            .items(1, 32)
            .format(kWafTarget)
            .unique();
        o.field("transform", &WafInjection::transform,
                "What is done to each before it is matched, in this order.")
            .items(0, 10);
      });
  return type;
}

template <class M>
FieldBuilder part(Object<WafStatement>& o, const char* name, Kind kind, M WafStatement::*member,
                  const Type& inner, const char* doc) {
  return o.whole(name, std::make_unique<PartType<M>>(kind, member, inner), doc);
}

void statement_fields(Object<WafStatement>& o) {
  static const OneStatementType one;
  part(o, "all", Kind::All, &WafStatement::operands, statements_type(), "Every one of these holds.")
      .items(1, kMaxOperands);
  part(o, "any", Kind::Any, &WafStatement::operands, statements_type(), "One of these holds.")
      .items(1, kMaxOperands);
  part(o, "not", Kind::Not, &WafStatement::operands, one, "This one does not hold.");
  part(o, "ip", Kind::Ip, &WafStatement::ip, texts_type(),
       "The client's address is in one of these IP sets or networks.")
      .items(1, kMaxOperands)
      .format(kNotEmpty);
  part(o, "forwardedIp", Kind::ForwardedIp, &WafStatement::forwarded_ip, forwarded_ip_type(),
       "An address that a header names is; anybody can send one.");
  part(o, "geo", Kind::Geo, &WafStatement::geo, texts_type(),
       "The client is in one of these countries (ISO 3166-1 alpha-2, in quotes).")
      .items(1, kMaxOperands)
      .format(kCountry);
  part(o, "asn", Kind::Asn, &WafStatement::asn, type_of<std::vector<std::uint32_t>>(),
       "The client's address belongs to one of these autonomous systems.")
      .items(1, kMaxOperands);
  part(o, "label", Kind::Label, &WafStatement::label, type_of<std::string>(),
       "An earlier rule has set this label, or one of this namespace (`admin:`).")
      .format(kWafLabelMatch);
  for (const WafFieldName& known : waf_field_names())
    o.whole(known.name, std::make_unique<FieldPartType>(known.field), known.doc);
  part(o, "sqli", Kind::Sqli, &WafStatement::injection, injection_type(),
       "libinjection finds SQL in one of these fields.");
  part(o, "xss", Kind::Xss, &WafStatement::injection, injection_type(),
       "libinjection finds a script in one of these fields.");
  o.check([](WafStatement&, const Node& node, Decoder& decoder) {
    if (node.children.size() == 1) return;
    if (node.children.empty())
      decoder.error(Code::FieldMissing, node.mark, "the statement says nothing",
                    "one of all, any, not, ip, geo, label, path, header, …");
    else
      decoder.error(Code::Combination, node.children[1].key_mark,
                    fmt::format("a statement has one key, this one has {}", node.children.size()),
                    "write all: [{…}, {…}] when each must hold, any: when one is enough");
  });
}

}  // namespace

const Type& waf_statement_type() {
  static const Object<WafStatement> type(
      "WafStatement", "What a request must be like: a map with exactly one of these keys.",
      statement_fields);
  return type;
}

const Type& optional_waf_statement_type() {
  static const OptionalOf<WafStatement> type(waf_statement_type());
  return type;
}

const Type& optional_waf_path_type() {
  static const OptionalOf<WafFieldMatch> type(waf_match_type(WafField::Path));
  return type;
}

}  // namespace headgate::schema
