// SPDX-License-Identifier: MIT
#include "appliance/demo/origin.h"

#include <fmt/format.h>
#include <httplib.h>
#include <pthread.h>

#include <atomic>
#include <charconv>
#include <csignal>
#include <nlohmann/json.hpp>
#include <thread>

#include "appliance/base/hash.h"
#include "appliance/base/mutex.h"
#include "appliance/base/time.h"
#include "appliance/demo/catalogue.h"
#include "appliance/demo/pages.h"
#include "appliance/http/caching.h"
#include "appliance/http/conditional.h"

namespace headgate::demo {
namespace {

constexpr int kMaxConnections = 512;
constexpr long kMaxSlowMs = 30'000;
constexpr long kMaxLargeMib = 1024;
constexpr long kMaxDownSeconds = 3600;

constexpr std::string_view kLargePattern = "0123456789abcdef";
constexpr std::size_t kLargePieceOctets = 64 * 1024;

constexpr const char* kForAYear = "public, max-age=31536000, immutable";
constexpr const char* kForADay = "public, max-age=86400";
constexpr const char* kForSeconds =
    "public, max-age=5, stale-while-revalidate=10, stale-if-error=60";
constexpr const char* kNever = "no-store";
constexpr const char* kHtml = "text/html; charset=utf-8";
constexpr const char* kJson = "application/json";

/// A thread a connection: with a fixed pool the kept-alive connections of an edge would shut others
/// out.
class ThreadPerConnection final : public httplib::TaskQueue {
 public:
  void enqueue(std::function<void()> serve) override {
    {
      base::MutexLock lock(mutex_);
      while (busy_ == kMaxConnections) lock.wait(changed_);
      ++busy_;
    }
    std::thread([this, serve = std::move(serve)] {
      serve();
      base::MutexLock lock(mutex_);
      --busy_;
      changed_.notify_all();
    }).detach();
  }
  void shutdown() override {
    base::MutexLock lock(mutex_);
    while (busy_ != 0) lock.wait(changed_);
  }

 private:
  base::Mutex mutex_;
  std::condition_variable changed_;
  int busy_ GUARDED_BY(mutex_) = 0;
};

/// The number in query parameter `name`; absent or malformed: `otherwise`; outside [low, high]: the
/// nearer end.
long parameter(const httplib::Request& request, const char* name, long otherwise, long low,
               long high) {
  const std::string text = request.get_param_value(name);
  long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return otherwise;
  return std::clamp(value, low, high);
}

std::string date_of(base::WallTime time) {
  char text[29];
  http::format_http_date(time, text);
  return std::string(text, sizeof text);
}

std::string tag_of(std::string_view body) {
  // Weak: the library compresses by Accept-Encoding and keeps the tag.
  return fmt::format("W/\"{:08x}-{}\"", base::crc32c(body), body.size());
}

/// 200 with validators, or 304 when the request has it already. RFC 9110 section 13.
void answer(const httplib::Request& request, httplib::Response& response, std::string body,
            const char* type, const char* cache_control, base::WallTime modified) {
  const std::string tag = tag_of(body);
  const std::string date = date_of(modified);
  response.set_header("Cache-Control", cache_control);
  response.set_header("ETag", tag);
  response.set_header("Last-Modified", date);
  response.set_header("Vary", "Accept-Encoding");

  std::vector<http::Field> asked;
  const std::string none_match = request.get_header_value("If-None-Match");
  const std::string since = request.get_header_value("If-Modified-Since");
  if (!none_match.empty()) asked.push_back({"if-none-match", none_match});
  if (!since.empty()) asked.push_back({"if-modified-since", since});
  const std::vector<http::Field> ours = {{"etag", tag}, {"last-modified", date}};
  if (http::is_not_modified(asked, ours)) {
    response.status = 304;
    return;
  }
  response.set_content(std::move(body), type);
}

void answer_once(httplib::Response& response, int status, const std::string& body,
                 const char* type) {
  response.status = status;
  response.set_header("Cache-Control", kNever);
  response.set_content(body, type);
}

}  // namespace

struct Origin::Impl {
  explicit Impl(OriginOptions the_options) : options(std::move(the_options)) {
    server.new_task_queue = [] { return new ThreadPerConnection; };
    // The library's default would let a second origin take the same port.
    server.set_socket_options([](socket_t socket) {
      const int on = 1;
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    });
    server.set_tcp_nodelay(true);
    server.set_keep_alive_timeout(2);
    server.set_keep_alive_max_count(10'000);
    server.set_payload_max_length(16 * 1024 * 1024);
    server.set_pre_routing_handler(
        [this](const httplib::Request& request, httplib::Response& response) {
          return receive(request, response);
        });
    server.set_error_handler([this](const httplib::Request&, httplib::Response& response) {
      if (response.status != 404 || !response.body.empty()) return;
      response.set_header("Cache-Control", "public, max-age=5");
      response.set_content(not_found_html(options.name), kHtml);
    });
    add_pages();
    add_products();
    add_troubles();
    add_tools();
  }

  /// Before every handler: counts, and answers everything while down.
  httplib::Server::HandlerResponse receive(const httplib::Request& request,
                                           httplib::Response& response) {
    response.set_header("Date", date_of(base::wall_now()));
    response.set_header("X-Demo-Origin", options.name);
    response.set_header("X-Demo-Served", std::to_string(++served));
    const bool down = base::mono_now() < down_until.load();
    if (!down || request.path == "/down") return httplib::Server::HandlerResponse::Unhandled;
    response.set_header("Retry-After", "5");
    answer_once(response, 503, "down for a while\n", "text/plain");
    return httplib::Server::HandlerResponse::Handled;
  }

  void add_fixed(const char* path, std::string_view body, const char* type, const char* cached) {
    server.Get(path,
               [this, body = std::string(body), type, cached](const auto& request, auto& response) {
                 answer(request, response, body, type, cached, started);
               });
  }

  void add_pages() {
    server.Get("/(?:index\\.html)?",
               [this](const httplib::Request& request, httplib::Response& response) {
                 const std::int64_t slot = price_slot(base::wall_now());
                 answer(request, response, shop_html(options.name, slot), kHtml, kForSeconds,
                        slot_start(slot));
               });
    add_fixed("/404\\.html", not_found_html(options.name), kHtml, kForADay);
    add_fixed("/assets/shop\\.css", style_css(), "text/css; charset=utf-8", kForAYear);
    add_fixed("/assets/shop\\.js", shop_js(), "text/javascript; charset=utf-8", kForAYear);
    add_fixed("/favicon\\.svg", favicon_svg(), "image/svg+xml", kForADay);
    server.Get("/images/([a-z]+)\\.svg", [this](const httplib::Request& request,
                                                httplib::Response& response) {
      const Product* product = find_product(request.matches[1].str());
      response.status = 404;
      if (product == nullptr) return;
      response.status = 200;
      answer(request, response, product_svg(*product), "image/svg+xml", kForADay, started);
    });
  }

  void add_products() {
    server.Get("/api/products",
               [this](const httplib::Request& request, httplib::Response& response) {
                 const std::int64_t slot = price_slot(base::wall_now());
                 answer(request, response, products_json(options.name, slot), kJson, kForSeconds,
                        slot_start(slot));
               });
    server.Get("/api/products/([^/]+)",
               [this](const httplib::Request& request, httplib::Response& response) {
                 const std::int64_t slot = price_slot(base::wall_now());
                 const Product* product = find_product(request.matches[1].str());
                 if (product != nullptr) {
                   return answer(request, response, product_json(options.name, *product, slot),
                                 kJson, kForSeconds, slot_start(slot));
                 }
                 response.status = 404;
                 response.set_header("Cache-Control", "public, max-age=5");
                 response.set_content("{\"error\": \"no such product\"}\n", kJson);
               });
  }

  void add_troubles() {
    server.Get("/slow", [this](const httplib::Request& request, httplib::Response& response) {
      const long ms = parameter(request, "ms", 1000, 0, kMaxSlowMs);
      rest(Duration(ms));
      response.set_header("Cache-Control", "public, max-age=30");
      response.set_content(fmt::format("answered after {} ms\n", ms), "text/plain");
    });
    server.Get("/fail", [](const httplib::Request& request, httplib::Response& response) {
      const long status = parameter(request, "status", 500, 400, 599);
      answer_once(response, static_cast<int>(status), fmt::format("status {}\n", status),
                  "text/plain");
    });
    server.Get("/flaky", [this](const httplib::Request&, httplib::Response& response) {
      const bool good = flaky_requests++ % 2 == 1;
      answer_once(response, good ? 200 : 503, good ? "good this time\n" : "bad this time\n",
                  "text/plain");
    });
    const auto down = [this](const httplib::Request& request, httplib::Response& response) {
      const long seconds = parameter(request, "seconds", 10, 0, kMaxDownSeconds);
      down_until = base::mono_now() + std::chrono::seconds(seconds);
      answer_once(response, 200, fmt::format("{{\"down_for_seconds\": {}}}\n", seconds), kJson);
    };
    server.Get("/down", down);
    server.Post("/down", down);
    server.Get("/large", [this](const httplib::Request& request, httplib::Response& response) {
      const auto size = static_cast<std::size_t>(parameter(request, "mb", 8, 1, kMaxLargeMib))
                        << 20;
      response.set_header("Cache-Control", "public, max-age=3600");
      response.set_header("ETag", fmt::format("\"large-{}\"", size));
      response.set_content_provider(
          size, "application/octet-stream",
          [this](std::size_t offset, std::size_t length, httplib::DataSink& sink) {
            return give_large(offset, length, sink);
          });
    });
  }

  void add_tools() {
    server.Get("/healthz", [](const httplib::Request&, httplib::Response& response) {
      answer_once(response, 200, "ok\n", "text/plain");
    });
    const auto echo = [](const httplib::Request& request, httplib::Response& response) {
      nlohmann::json fields = nlohmann::json::array();
      for (const auto& [name, value] : request.headers) {
        // The library's own additions.
        if (name == "REMOTE_ADDR" || name == "REMOTE_PORT") continue;
        if (name == "LOCAL_ADDR" || name == "LOCAL_PORT") continue;
        fields.push_back({{"name", name}, {"value", value}});
      }
      const nlohmann::json body = {{"method", request.method},
                                   {"target", request.target},
                                   {"version", request.version},
                                   {"headers", fields},
                                   {"body_octets", request.body.size()}};
      // What arrived need not be UTF-8.
      answer_once(response, 200,
                  body.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n", kJson);
    };
    server.Get("/headers", echo);
    server.Post("/headers", echo);
    server.Put("/headers", echo);
    server.Patch("/headers", echo);
    server.Delete("/headers", echo);
  }

  /// 16 letters repeated: what belongs to an offset is known without the rest.
  bool give_large(std::size_t offset, std::size_t length, httplib::DataSink& sink) {
    {
      base::MutexLock lock(mutex);
      if (stopping) return false;
    }
    const std::size_t skip = offset % kLargePattern.size();
    return sink.write(large.data() + skip, std::min(length, large.size() - skip));
  }

  /// Sleeps, but not beyond `stop`.
  void rest(Duration length) {
    const auto until = std::chrono::steady_clock::now() + length;
    base::MutexLock lock(mutex);
    while (!stopping && lock.wait_until(changed, until) != std::cv_status::timeout) {
    }
  }

  bool is_serving() {
    base::MutexLock lock(mutex);
    return serving;
  }

  static std::string make_large_piece() {
    std::string piece;
    while (piece.size() < kLargePieceOctets) piece += kLargePattern;
    return piece;
  }

  OriginOptions options;
  const std::string large = make_large_piece();
  base::WallTime started = base::wall_now();
  std::atomic<std::uint64_t> served{0};
  std::atomic<std::uint64_t> flaky_requests{0};
  std::atomic<base::MonoTime> down_until{base::MonoTime{}};
  base::Mutex mutex;
  std::condition_variable changed;
  bool serving GUARDED_BY(mutex) = false;
  bool stopping GUARDED_BY(mutex) = false;
  httplib::Server server;
};

Origin::Origin(OriginOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}

Origin::~Origin() = default;

Result<std::uint16_t> Origin::bind() {
  const OriginOptions& options = impl_->options;
  const bool any = options.port == 0;
  const int port = any ? impl_->server.bind_to_any_port(options.address) : options.port;
  if (port <= 0 || (!any && !impl_->server.bind_to_port(options.address, port))) {
    return fail(Blame::Config,
                "the demo origin cannot listen on {}:{}: is the address right, and the port free?",
                options.address, options.port);
  }
  return static_cast<std::uint16_t>(port);
}

void Origin::serve() {
  {
    base::MutexLock lock(impl_->mutex);
    if (impl_->stopping) return;
    impl_->serving = true;
  }
  impl_->server.listen_after_bind();
  base::MutexLock lock(impl_->mutex);
  impl_->serving = false;
}

void Origin::stop() {
  {
    base::MutexLock lock(impl_->mutex);
    if (impl_->stopping) return;
    impl_->stopping = true;
    impl_->changed.notify_all();
  }
  // The library forgets a `stop` that comes before it has begun to accept.
  while (impl_->is_serving() && !impl_->server.is_running()) std::this_thread::yield();
  impl_->server.stop();
}

int run_origin(const OriginOptions& options) {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);

  Origin origin(options);
  const Result<std::uint16_t> port = origin.bind();
  if (!port) {
    fmt::print(stderr, "error: {}\n", port.error().context);
    return 1;
  }
  const bool ipv6 = options.address.find(':') != std::string::npos;
  fmt::print("demo origin \"{}\" on http://{}{}{}:{}/\n", options.name, ipv6 ? "[" : "",
             options.address, ipv6 ? "]" : "", *port);
  std::fflush(stdout);

  std::thread server([&origin] { origin.serve(); });
  int signal = 0;
  sigwait(&ends, &signal);
  origin.stop();
  server.join();
  return 0;
}

}  // namespace headgate::demo
