// SPDX-License-Identifier: MIT
// XML by Expat; the only file here that knows it.
#include <expat.h>
#include <fmt/format.h>

#include <limits>
#include <memory>

#include "appliance/guard/waf/body/parsers.h"

namespace headgate::guard::waf {
namespace {

struct Context {
  XML_Parser parser;
  const BodyLimits& limits;
  Arena& arena;
  BodyContent& content;
  std::size_t depth = 0;
};

void stop(Context& context, const char* why) {
  context.content.error = why;
  XML_StopParser(context.parser, XML_FALSE);
}

// Beyond a limit.
void stop_early(Context& context, const char* why) {
  context.content.too_many_arguments = true;
  stop(context, why);
}

void on_start(void* user, const XML_Char*, const XML_Char** attributes) {
  Context& context = *static_cast<Context*>(user);
  if (++context.depth > context.limits.depth) return stop_early(context, "XML: too deep");
  for (std::size_t i = 0; attributes[i] != nullptr; i += 2) {
    if (context.content.xml_attributes.size() >= context.limits.arguments)
      return stop_early(context, "XML: too many attributes");
    context.content.xml_attributes.push_back(context.arena.persist(attributes[i + 1]));
  }
}

void on_end(void* user, const XML_Char*) { --static_cast<Context*>(user)->depth; }

void on_text(void* user, const XML_Char* text, int size) {
  static_cast<Context*>(user)->content.xml_text.append(text, static_cast<std::size_t>(size));
}

// Entities make much of little, or hide what a document says from whoever does not expand them.
constexpr char kDeclares[] = "XML: a DOCTYPE that declares something";

void on_doctype(void* user, const XML_Char*, const XML_Char*, const XML_Char*, int has_subset) {
  if (has_subset != 0) stop(*static_cast<Context*>(user), kDeclares);
}

void on_entity(void* user, const XML_Char*, int, const XML_Char*, int, const XML_Char*,
               const XML_Char*, const XML_Char*, const XML_Char*) {
  stop(*static_cast<Context*>(user), kDeclares);
}

}  // namespace

void parse_xml(std::string_view text, bool whole, const BodyLimits& limits, Arena& arena,
               BodyContent& content) {
  const std::unique_ptr<XML_ParserStruct, decltype(&XML_ParserFree)> parser(
      XML_ParserCreate(nullptr), &XML_ParserFree);
  if (parser == nullptr || text.size() > std::numeric_limits<int>::max()) {
    content.error = "XML: no memory for a parser";
    return;
  }
  Context context{parser.get(), limits, arena, content};
  XML_SetUserData(parser.get(), &context);
  XML_SetElementHandler(parser.get(), on_start, on_end);
  XML_SetCharacterDataHandler(parser.get(), on_text);
  XML_SetStartDoctypeDeclHandler(parser.get(), on_doctype);
  XML_SetEntityDeclHandler(parser.get(), on_entity);
  const bool parsed = XML_Parse(parser.get(), text.data(), static_cast<int>(text.size()),
                                whole ? 1 : 0) == XML_STATUS_OK;
  if (!parsed && content.error.empty())
    content.error =
        fmt::format("XML: {} at octet {}", XML_ErrorString(XML_GetErrorCode(parser.get())),
                    XML_GetCurrentByteIndex(parser.get()));
}

}  // namespace headgate::guard::waf
