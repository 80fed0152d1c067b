// SPDX-License-Identifier: MIT
// Fuzzes what an edge reads of an HTTP/3 client behind the handshake: octets and frames on streams
// of every kind, field sections with any names and values, streams that end, are reset or refused,
// in any order. Besides not crashing, the edge must go on: it acknowledges, or says why it ends the
// connection, and answers others.
#include <arpa/inet.h>

#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "tests/fuzz/quic_target.h"
#include "tests/support/quic_client.h"

using namespace headgate::fuzz;
using headgate::test::QuicClient;

namespace {

constexpr std::size_t kMostActions = 32;
/// RFC 9114 section 7.2, RFC 9218 section 7.2, one that is HTTP/2's, one that nobody knows.
constexpr std::uint64_t kFrames[] = {0, 1, 3, 4, 5, 7, 0xd, 0xf0700, 0x6, 0x21};
constexpr std::string_view kNames[] = {":method", ":scheme",           ":authority",
                                       ":path",   ":status",           "host",
                                       "cookie",  "content-length",    "transfer-encoding",
                                       "expect",  "accept-encoding",   "range",
                                       "te",      "priority",          "x",
                                       "X",       "if-modified-since", "forwarded"};

std::string hex(std::string_view octets) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char octet : octets) {
    text += kDigits[static_cast<unsigned char>(octet) >> 4];
    text += kDigits[static_cast<unsigned char>(octet) & 15];
  }
  return text.empty() ? "-" : text;
}

/// RFC 9000 section 16, in four octets.
std::string varint(std::uint64_t value) {
  return {static_cast<char>(0x80 | (value >> 24 & 0x3f)), static_cast<char>(value >> 16),
          static_cast<char>(value >> 8), static_cast<char>(value)};
}

std::string frame(std::uint64_t type, std::string_view payload) {
  return varint(type) + varint(payload.size()) + std::string(payload);
}

/// RFC 7541 section 5.1: an integer behind `first`'s upper bits, whose lower `bits` it fills.
std::string prefixed(std::uint8_t first, unsigned bits, std::size_t value) {
  const std::size_t most = (std::size_t{1} << bits) - 1;
  if (value < most) return {static_cast<char>(first | value)};
  std::string text{static_cast<char>(first | most)};
  for (value -= most; value >= 128; value >>= 7) text += static_cast<char>(0x80 | (value & 0x7f));
  return text + static_cast<char>(value);
}

/// RFC 9204 section 4.5.6: a field line with a literal name.
std::string field(std::string_view name, std::string_view value) {
  return prefixed(0x20, 3, name.size()) + std::string(name) + prefixed(0, 7, value.size()) +
         std::string(value);
}

/// A field section: what a request needs, unless the input has it otherwise, and what the input
/// has.
std::string field_section(Input& input) {
  std::string section(2, '\0');  // nothing of the table
  const std::uint8_t absent = input.octet();
  if ((absent & 1) == 0) section += field(":method", (absent & 16) == 0 ? "GET" : "POST");
  if ((absent & 2) == 0) section += field(":scheme", "https");
  if ((absent & 4) == 0) section += field(":authority", "shop.test");
  if ((absent & 8) == 0) section += field(":path", "/");
  for (unsigned count = input.octet() % 6; count > 0; --count) {
    const std::uint8_t which = input.octet();
    const std::string_view name =
        which % 4 == 0 ? input.take(which / 4) : kNames[which % std::size(kNames)];
    section += field(name, input.take(input.octet()));
  }
  return section;
}

/// One connection, as the input says.
class Run {
 public:
  Run(const sockaddr_in& to, Input& input)
      : input_(input),
        client_("127.0.0.1", ntohs(to.sin_port), "shop.test",
                [this](const std::string& line) { on_line(line); }) {}

  void run() {
    until(ready_);
    if (input_.octet() % 4 != 0) {
      open("uni");
      send(std::string(1, '\0') + frame(4, ""));  // a control stream, as it should be
    }
    for (std::size_t i = 0; i < kMostActions && !input_.empty() && !client_.ended(); ++i) act();
    if (!client_.ended()) client_.command("sync");
    until(synced_);
    if (!client_.ended()) client_.command("close 256");
  }

 private:
  void on_line(const std::string& line) {
    if (line.starts_with("opened ")) {
      const int id = std::stoi(line.substr(7));
      if (id >= 0) streams_.push_back(std::to_string(id));
    }
    ready_ = ready_ || line == "ready";
    synced_ = synced_ || line == "synced";
    require(line != "ended ERR_IDLE_CLOSE" && line != "ended ERR_HANDSHAKE_TIMEOUT");
  }
  void until(const bool& there) {
    while (!there && !client_.ended()) client_.turn();
  }
  void open(const char* kind) {
    client_.command(std::string("open ") + kind);
    at_ = streams_.empty() ? 0 : streams_.size() - 1;
  }
  void send(std::string_view octets, const char* end = "") {
    if (!streams_.empty()) client_.command("send " + streams_[at_] + " " + hex(octets) + end);
  }

  void act() {
    const std::uint8_t what = input_.octet();
    if (!streams_.empty() && what >= 128) at_ = what % streams_.size();
    switch (what % 10) {
      case 0:
        return open("uni");
      case 1:
        return open("bidi");
      case 2:
        return send(input_.take(input_.octet()));
      case 3:
        return send(frame(kFrames[input_.octet() % std::size(kFrames)],
                          input_.take(input_.number() % 600)));
      case 4:
        return send(frame(1, field_section(input_)));
      case 5:
        open("bidi");
        return send(frame(1, field_section(input_)), " fin");
      case 6:
        return send("", " fin");
      case 7:
        if (!streams_.empty()) client_.command("reset " + streams_[at_] + " 268");
        return;
      case 8:
        if (!streams_.empty()) client_.command("stop " + streams_[at_] + " 268");
        return;
      default:
        synced_ = false;  // what comes next comes in packets of its own
        client_.command("sync");
        until(synced_);
        synced_ = false;
    }
  }

  Input& input_;
  QuicClient client_;
  bool ready_ = false;
  bool synced_ = false;
  std::vector<std::string> streams_;
  std::size_t at_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t size) {
  static Target& target = *new Target;  // its threads run until the process ends
  Input input(octets, size);
  Run(target.at, input).run();
  Line(target.at).wait();
  return 0;
}
