// SPDX-License-Identifier: MIT
// Requests of the edge to itself, many at a time, by libcurl over connections that the edge makes.
#include "appliance/warm/requester.h"

#include <curl/curl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <unordered_map>

#include "appliance/base/assert.h"
#include "appliance/http/field.h"

namespace headgate::warm {
namespace {

/// An answer of which nothing comes for so long is none. Origins' own timeouts are shorter.
constexpr long kStandstillSeconds = 150;
/// Nor is one that does not end.
constexpr long kLongestSeconds = 3600;
constexpr long kMaxIdleConnections = 64;

struct EasyDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct MultiDeleter {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

/// What browsers send, where the list says nothing else.
constexpr std::pair<const char*, const char*> kHeaders[] = {
    {"user-agent", "headgate-warm"},
    {"accept", "*/*"},
    {"accept-encoding", "gzip, deflate, br, zstd"},
};

/// The edge's own member of Cache-Status (RFC 9211) is the last one.
void read_cache_status(std::string_view value, Outcome& outcome) {
  const std::size_t at = value.rfind("headgate");
  if (at == std::string_view::npos) return;
  value.remove_prefix(at);
  outcome.hit = value.find("; hit") != std::string_view::npos;
  for (const char* word : {"; stored", "; collapsed", "; fwd-status=304"})
    outcome.stored = outcome.stored || value.find(word) != std::string_view::npos;
}

}  // namespace

struct Requester::Transfer {
  std::uint64_t token = 0;
  Sink sink;
  Outcome outcome;
  std::unique_ptr<CURL, EasyDeleter> easy;
  std::unique_ptr<curl_slist, ListDeleter> headers;
  bool refused = false;  ///< by the sink

  void add_header(const std::string& line) {
    curl_slist* longer = curl_slist_append(headers.get(), line.c_str());
    HG_ASSERT(longer != nullptr);
    (void)headers.release();  // the same list
    headers.reset(longer);
  }

  static std::size_t on_header(char* text, std::size_t one, std::size_t size, void* self) {
    constexpr std::string_view kName = "cache-status:";
    const std::string_view line(text, size * one);
    if (http::equals_ignoring_case(line.substr(0, kName.size()), kName))
      read_cache_status(line.substr(kName.size()), static_cast<Transfer*>(self)->outcome);
    return line.size();
  }

  static std::size_t on_body(char* octets, std::size_t one, std::size_t size, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    transfer.outcome.bytes += size * one;
    transfer.refused = transfer.sink && !transfer.sink({octets, size * one});
    return transfer.refused ? 0 : size * one;
  }
};

struct Requester::State {
  std::function<void(int)> serve;
  std::unique_ptr<CURLM, MultiDeleter> multi;
  std::unordered_map<CURL*, std::unique_ptr<Transfer>> transfers;
  std::vector<Ended> failed;  ///< that could not begin

  std::vector<int> listeners;  ///< that libcurl is connecting to

  ~State() {
    for (const int listener : listeners) close(listener);
  }

  /// libcurl connects by itself, even what is connected (CURL_SOCKOPT_ALREADY_CONNECTED, 7.88). So
  /// each connection has a listener of its own, with a name that the kernel makes up (unix(7),
  /// autobind), which lives for as long as that takes.
  static curl_socket_t on_connect(void* self, curlsocktype, curl_sockaddr* address) {
    constexpr int kType = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
    const int listener = socket(AF_UNIX, kType, 0);
    if (listener < 0) return CURL_SOCKET_BAD;
    static_cast<State*>(self)->listeners.push_back(listener);
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    socklen_t size = sizeof name.sun_family;
    if (bind(listener, reinterpret_cast<sockaddr*>(&name), size) != 0 || listen(listener, 1) != 0)
      return CURL_SOCKET_BAD;
    size = sizeof name;
    if (getsockname(listener, reinterpret_cast<sockaddr*>(&name), &size) != 0 ||
        size > sizeof address->addr)
      return CURL_SOCKET_BAD;
    address->family = AF_UNIX;
    address->protocol = 0;
    address->addrlen = size;
    std::memcpy(&address->addr, &name, size);
    return socket(AF_UNIX, kType, 0);
  }

  /// Hands over what has connected: it must be us.
  void accept_all() {
    for (const int listener : listeners) {
      int end = -1;
      while ((end = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        ucred peer{};
        socklen_t size = sizeof peer;
        const bool ours =
            getsockopt(end, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid == getpid();
        ours ? serve(end) : static_cast<void>(close(end));
      }
      close(listener);
    }
    listeners.clear();
  }
};

Requester::Requester(std::function<void(int)> serve) : state_(std::make_unique<State>()) {
  HG_ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
  state_->serve = std::move(serve);
  state_->multi.reset(curl_multi_init());
  HG_ASSERT(state_->multi != nullptr);
  curl_multi_setopt(state_->multi.get(), CURLMOPT_MAXCONNECTS, kMaxIdleConnections);
}

Requester::~Requester() { cancel(); }

void Requester::cancel() {
  for (const auto& [easy, transfer] : state_->transfers)
    curl_multi_remove_handle(state_->multi.get(), easy);
  state_->transfers.clear();
}

void Requester::start(std::uint64_t token, const Request& request, Sink sink) {
  auto transfer = std::make_unique<Transfer>();
  transfer->token = token;
  transfer->sink = std::move(sink);
  transfer->easy.reset(curl_easy_init());
  CURL* easy = transfer->easy.get();
  HG_ASSERT(easy != nullptr);
  // An address that needs no look-up; connections are made by on_connect.
  curl_easy_setopt(easy, CURLOPT_URL, "http://127.0.0.1/");
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, request.target.path.c_str());
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, kStandstillSeconds);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT, kLongestSeconds);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, State::on_connect);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, state_.get());
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, Transfer::on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer.get());
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, Transfer::on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer.get());

  transfer->add_header("host: " + host_field(request.target.host));
  for (const auto& [name, value] : kHeaders) {
    const bool replaced = std::any_of(request.headers.begin(), request.headers.end(),
                                      [&own = name](const auto& header) {
                                        return http::equals_ignoring_case(header.first, own);
                                      });
    const bool coding = std::string_view(name) == "accept-encoding";
    if (!replaced || (coding && request.plain))
      transfer->add_header(std::string(name) + ": " +
                           (coding && request.plain ? "identity" : value));
  }
  for (const auto& [name, value] : request.headers) {
    if (request.plain && http::equals_ignoring_case(name, "accept-encoding")) continue;
    // libcurl leaves a header without a value out unless it ends with a semicolon.
    transfer->add_header(value.empty() ? name + ";" : name + ": " + value);
  }
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers.get());
  if (curl_multi_add_handle(state_->multi.get(), easy) != CURLM_OK) {
    state_->failed.push_back({token, {}, "libcurl takes no more transfers"});
    return;
  }
  state_->transfers.emplace(easy, std::move(transfer));
}

std::vector<Requester::Ended> Requester::perform() {
  int running = 0;
  curl_multi_perform(state_->multi.get(), &running);
  state_->accept_all();
  std::vector<Ended> ended = std::exchange(state_->failed, {});
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(state_->multi.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode result = message->data.result;
    const auto found = state_->transfers.find(message->easy_handle);
    HG_ASSERT(found != state_->transfers.end());
    Transfer& transfer = *found->second;
    Ended end{transfer.token, transfer.outcome, ""};
    long status = 0;
    curl_easy_getinfo(found->first, CURLINFO_RESPONSE_CODE, &status);
    if (result == CURLE_OK || transfer.refused) {
      end.outcome.status = static_cast<int>(status);
    } else {
      end.problem = curl_easy_strerror(result);
    }
    curl_multi_remove_handle(state_->multi.get(), found->first);
    state_->transfers.erase(found);
    ended.push_back(std::move(end));
  }
  return ended;
}

void Requester::wait(std::chrono::milliseconds limit) {
  curl_multi_poll(state_->multi.get(), nullptr, 0, static_cast<int>(limit.count()), nullptr);
}

void Requester::wake() { curl_multi_wakeup(state_->multi.get()); }

}  // namespace headgate::warm
