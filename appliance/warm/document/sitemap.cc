// SPDX-License-Identifier: MIT
// Sitemaps and indexes of them (sitemaps.org), read while they arrive.
#include "appliance/warm/document/sitemap.h"

#include <expat.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <vector>

namespace headgate::warm {
namespace {

constexpr std::size_t kMaxDepth = 32;
constexpr std::size_t kMaxUrl = 4096;
constexpr std::string_view kGzip = "\x1f\x8b";

/// "image:loc" is another element than "loc", but "sm:loc" is not, so parents count, too.
std::string local_name(const char* name) {
  const std::string_view text(name);
  const std::size_t colon = text.rfind(':');
  return std::string(colon == std::string_view::npos ? text : text.substr(colon + 1));
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
  return text.substr(0, text.find_last_not_of(kSpace) + 1);
}

struct ParserDeleter {
  void operator()(XML_Parser parser) const { XML_ParserFree(parser); }
};

}  // namespace

struct SitemapReader::State {
  explicit State(Found found_) : found(std::move(found_)), parser(XML_ParserCreate(nullptr)) {
    if (parser == nullptr) return;
    XML_SetUserData(parser.get(), this);
    XML_SetElementHandler(parser.get(), on_start, on_end);
    XML_SetCharacterDataHandler(parser.get(), on_text);
    // Entities are of no use here, and a way to fill the memory.
    XML_SetStartDoctypeDeclHandler(
        parser.get(), [](void* self, const XML_Char*, const XML_Char*, const XML_Char*, int) {
          static_cast<State*>(self)->refuse("a DOCTYPE is not accepted");
        });
  }
  ~State() {
    if (unpacking) inflateEnd(&zlib);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void refuse(const char* problem_) {
    if (problem.empty()) problem = problem_;
    XML_StopParser(parser.get(), XML_FALSE);
  }

  static void on_start(void* self, const XML_Char* name, const XML_Char**) {
    auto& state = *static_cast<State*>(self);
    if (state.open.size() >= kMaxDepth) return state.refuse("its elements are nested too deep");
    state.open.push_back(local_name(name));
    if (state.open.size() == 1 && state.open[0] != "urlset" && state.open[0] != "sitemapindex")
      return state.refuse("it is neither a urlset nor a sitemapindex");
    state.url.clear();
  }

  static void on_text(void* self, const XML_Char* text, int size) {
    auto& state = *static_cast<State*>(self);
    if (!state.is_location()) return;
    if (state.url.size() + static_cast<std::size_t>(size) > kMaxUrl)
      return state.refuse("a URL is too long");
    state.url.append(text, static_cast<std::size_t>(size));
  }

  static void on_end(void* self, const XML_Char*) {
    auto& state = *static_cast<State*>(self);
    if (state.is_location())
      if (const auto url = trim(state.url); !url.empty())
        state.found(std::string(url), state.open[0] == "sitemapindex");
    state.url.clear();
    if (!state.open.empty()) state.open.pop_back();
  }

  bool is_location() const {
    return open.size() == 3 && open[2] == "loc" && (open[1] == "url" || open[1] == "sitemap");
  }

  Status parse(std::string_view octets, bool last) {
    read += octets.size();
    if (read > kMaxOctets) return fail(Blame::Origin, "it is larger than 50 MiB");
    if (parser == nullptr) return fail(Blame::Self, "no memory for an XML parser");
    if (XML_Parse(parser.get(), octets.data(), static_cast<int>(octets.size()), last ? 1 : 0) ==
        XML_STATUS_OK)
      return {};
    if (!problem.empty()) return fail(Blame::Origin, "{}", problem);
    return fail(Blame::Origin, "line {}: {}", XML_GetCurrentLineNumber(parser.get()),
                XML_ErrorString(XML_GetErrorCode(parser.get())));
  }

  Status unpack(std::string_view octets) {
    std::array<char, 32768> out;
    zlib.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(octets.data()));
    zlib.avail_in = static_cast<uInt>(octets.size());
    while (zlib.avail_in > 0 && !unpacked) {
      zlib.next_out = reinterpret_cast<Bytef*>(out.data());
      zlib.avail_out = static_cast<uInt>(out.size());
      const int result = inflate(&zlib, Z_NO_FLUSH);
      if (result != Z_OK && result != Z_STREAM_END)
        return fail(Blame::Origin, "its gzip is broken");
      unpacked = result == Z_STREAM_END;
      HG_CHECK(parse({out.data(), out.size() - zlib.avail_out}, false), "unpacked");
    }
    return {};
  }

  Found found;
  std::unique_ptr<std::remove_pointer_t<XML_Parser>, ParserDeleter> parser;
  std::vector<std::string> open;  ///< elements, from the root
  std::string url;                ///< of the `loc` that is being read
  std::string problem;
  std::string begin;  ///< octets until it is known whether it is gzip
  bool begun = false;
  z_stream zlib{};
  bool unpacking = false;
  bool unpacked = false;
  std::uint64_t read = 0;
};

SitemapReader::SitemapReader(Found found) : state_(std::make_unique<State>(std::move(found))) {}
SitemapReader::~SitemapReader() = default;

Status SitemapReader::feed(std::string_view octets) {
  State& state = *state_;
  if (!state.begun) {
    state.begin += octets;
    if (state.begin.size() < kGzip.size()) return {};
    state.begun = true;
    state.unpacking = state.begin.starts_with(kGzip) &&
                      inflateInit2(&state.zlib, 15 + 16) == Z_OK;  // 16: gzip, not zlib
    const std::string begin = std::move(state.begin);
    return state.unpacking ? state.unpack(begin) : state.parse(begin, false);
  }
  return state.unpacking ? state.unpack(octets) : state.parse(octets, false);
}

Status SitemapReader::end() {
  State& state = *state_;
  if (state.unpacking && !state.unpacked) return fail(Blame::Origin, "its gzip ends too early");
  return state.parse(state.begun ? std::string_view() : std::string_view(state.begin), true);
}

}  // namespace headgate::warm
