// SPDX-License-Identifier: MIT
// Takes a request apart into names and values.
#include "appliance/guard/waf/rules/texts.h"

#include "appliance/guard/waf/body/parsers.h"
#include "appliance/http/cookie.h"
#include "appliance/http/query.h"

namespace headgate::guard::waf {
namespace {

constexpr std::size_t kKeptEntries = 4096;

}  // namespace

void Texts::begin(const View& view, Arena& arena) {
  view_ = &view;
  arena_ = &arena;
  filled_.fill(false);
  cut_.fill(false);
  is_json_ = false;
  places_.shrink();
  for (std::vector<Entry>& entries : entries_)
    if (entries.capacity() > kKeptEntries) entries = std::vector<Entry>();
}

std::vector<Entry>& Texts::of(Family family) {
  const auto index = static_cast<std::size_t>(family);
  std::vector<Entry>& entries = entries_[index];
  if (!filled_[index]) {
    filled_[index] = true;
    entries.clear();
    fill(family, entries);
  }
  return entries;
}

void Texts::fill(Family family, std::vector<Entry>& entries) {
  switch (family) {
    case Family::Method:
      return add(entries, view_->method);
    case Family::Path:
      return add(entries, view_->path);
    case Family::Uri:
      return add(entries, view_->target);
    case Family::Query:
      return add(entries, view_->query);
    case Family::Fragment: {
      const std::size_t hash = view_->target.find('#');
      return add(entries, hash == std::string_view::npos ? std::string_view()
                                                         : view_->target.substr(hash + 1));
    }
    case Family::Args:
      return add_pairs(view_->query, entries);
    case Family::Headers:
      return add_headers(entries);
    case Family::HeaderOrder:
      return add(entries, header_order());
    case Family::Cookies:
      return add_cookies(entries);
    case Family::Body:
      return add(entries, view_->body);
    case Family::Form:
      return add_form(entries);
    case Family::Json:
      return add_json(entries);
    case Family::Ja3:
      return add(entries, view_->ja3);
    case Family::Ja4:
      return add(entries, view_->ja4);
    case Family::kCount:
      return;
  }
}

void Texts::add(std::vector<Entry>& entries, std::string_view value) {
  Entry entry;
  entry.value = value;
  entry.has_name = false;
  entries.push_back(entry);
}

std::string_view Texts::decoded(std::string_view text) {
  if (text.find_first_of("%+") == std::string_view::npos) return text;
  return apply(Transformation::UrlDecode, text, buffer_) ? arena_->persist(buffer_) : text;
}

void Texts::add_pairs(std::string_view pairs, std::vector<Entry>& entries) {
  http::QueryPair pair;
  for (http::QueryReader reader(pairs); reader.next(pair);) {
    Entry entry;
    entry.name = decoded(pair.name);
    entry.value = decoded(pair.value);
    entries.push_back(entry);
  }
}

void Texts::add_headers(std::vector<Entry>& entries) {
  Entry host;
  host.name = "host";
  host.value = view_->authority;
  entries.push_back(host);
  for (const http::Field& field : view_->fields) {
    Entry entry;
    entry.name = field.name;
    entry.value = field.value;
    entries.push_back(entry);
  }
}

std::string_view Texts::header_order() {
  buffer_ = "host";
  for (const http::Field& field : view_->fields) {
    buffer_ += ':';
    buffer_ += field.name;
  }
  return arena_->persist(buffer_);
}

void Texts::add_cookies(std::vector<Entry>& entries) {
  for (const http::Field& field : view_->fields) {
    if (field.name != "cookie") continue;
    http::CookiePair pair;
    for (http::CookieReader reader(field.value); reader.next(pair);) {
      Entry entry;
      entry.name = pair.name;
      entry.value = pair.value;
      entries.push_back(entry);
    }
  }
}

void Texts::add_form(std::vector<Entry>& entries) {
  const auto type = http::find(view_->fields, "content-type");
  if (!type) return;
  const std::string_view media = http::trim(type->substr(0, type->find(';')));
  if (http::equals_ignoring_case(media, "application/x-www-form-urlencoded"))
    return add_pairs(view_->body, entries);
  if (!http::equals_ignoring_case(media, "multipart/form-data") || view_->body.empty()) return;
  BodyContent content;
  parse_multipart(view_->body, *type, view_->body_state != View::Body::Beginning, BodyLimits{},
                  *arena_, content);
  for (const NamedValue& field : content.arguments) {
    Entry entry;
    entry.name = field.name;
    entry.value = field.value;
    entries.push_back(entry);
  }
  cut_[static_cast<std::size_t>(Family::Form)] = content.too_many_arguments;
  // What an origin may find in what was not understood is looked at as a text.
  if (content.too_many_arguments || !content.error.empty()) add(entries, view_->body);
}

void Texts::add_json(std::vector<Entry>& entries) {
  const bool complete = view_->body_state != View::Body::Beginning;
  const JsonEnd end = read_json(view_->body, complete, *arena_, places_, entries);
  is_json_ = end == JsonEnd::Read || end == JsonEnd::TooMany;
  cut_[static_cast<std::size_t>(Family::Json)] = end == JsonEnd::TooMany || end == JsonEnd::TooDeep;
}

}  // namespace headgate::guard::waf
