// SPDX-License-Identifier: MIT
// cpp-httplib's server on octets in memory.
#include "appliance/admin/front/responder.h"

#include <httplib.h>

#include <cstdio>
#include <cstring>
#include <exception>

namespace headgate::admin {
namespace {

class MemoryStream final : public httplib::Stream {
 public:
  explicit MemoryStream(const std::string& input) : input_(input) {}
  std::string take_output() { return std::move(output_); }

  bool is_readable() const override { return at_ < input_.size(); }
  bool is_writable() const override { return true; }
  ssize_t read(char* out, size_t size) override {
    const auto taken = std::min(size, input_.size() - at_);
    std::memcpy(out, input_.data() + at_, taken);
    at_ += taken;
    return static_cast<ssize_t>(taken);
  }
  ssize_t write(const char* text, size_t size) override {
    output_.append(text, size);
    return static_cast<ssize_t>(size);
  }
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return INVALID_SOCKET; }

 private:
  const std::string& input_;
  std::size_t at_ = 0;
  std::string output_;
};

class HttplibResponder final : public Responder, private httplib::Server {
 public:
  explicit HttplibResponder(const Endpoints& endpoints) : Responder(endpoints) {
    set_default_headers({{"Cache-Control", "no-store"}, {"X-Content-Type-Options", "nosniff"}});
    set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
      route(request, response);
      return HandlerResponse::Handled;
    });
  }

  Response respond(const std::string& head, std::string body) override {
    MemoryStream stream(head);
    body_ = std::move(body);
    answer_ = {};
    bool closed = false;
    process_request(stream, true, closed, nullptr);
    Response response{.octets = stream.take_output(), .follow_after = answer_.follow_after};
    // The head is all that the library writes of a body without an end.
    if (answer_.follow_after) response.octets += answer_.body;
    return response;
  }

 private:
  void route(const httplib::Request& request, httplib::Response& response) {
    Call call{.method = request.method,
              .path = request.path,
              .parameters = {request.params.begin(), request.params.end()},
              .headers = {request.headers.begin(), request.headers.end()},
              .body = std::move(body_)};
    try {
      answer_ = endpoints_.answer(call);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "headgate: admin: answering %s: %s\n", call.path.c_str(), error.what());
      answer_ = refuse(500, "an error of headgate's; its log says more");
    }
    response.status = answer_.status;
    for (const auto& [name, value] : answer_.headers) response.set_header(name, value);
    if (answer_.follow_after) {
      response.set_content_provider(answer_.content_type, [](size_t, httplib::DataSink& sink) {
        sink.done();
        return true;
      });
    } else {
      response.set_content(std::move(answer_.body), answer_.content_type);
    }
  }

  std::string body_;
  Answer answer_;
};

std::string_view reason_phrase(int status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 408:
      return "Request Timeout";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 417:
      return "Expectation Failed";
    case 431:
      return "Request Header Fields Too Large";
    default:
      return "Service Unavailable";
  }
}

}  // namespace

std::unique_ptr<Responder> Responder::create(const Endpoints& endpoints) {
  return std::make_unique<HttplibResponder>(endpoints);
}

std::string Responder::refusal(int status, std::string_view problem) {
  const auto answer = refuse(status, problem);
  return fmt::format(
      "HTTP/1.1 {} {}\r\nConnection: close\r\nContent-Type: {}\r\nContent-Length: "
      "{}\r\nCache-Control: no-store\r\n\r\n{}",
      status, reason_phrase(status), answer.content_type, answer.body.size(), answer.body);
}

}  // namespace headgate::admin
