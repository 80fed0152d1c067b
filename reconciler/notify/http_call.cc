// SPDX-License-Identifier: MIT
#include "reconciler/notify/http_call.h"

#include <curl/curl.h>

#include <array>
#include <memory>

namespace headgate::reconciler {
namespace {

constexpr long kLongestSeconds = 30;
constexpr long kConnectSeconds = 10;

struct EasyDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};

class HeaderList {
 public:
  ~HeaderList() { curl_slist_free_all(list_); }
  HeaderList() = default;
  HeaderList(const HeaderList&) = delete;
  HeaderList& operator=(const HeaderList&) = delete;
  bool add(const std::string& name, const std::string& value) {
    curl_slist* longer = curl_slist_append(list_, (name + ": " + value).c_str());
    if (longer == nullptr) return false;
    list_ = longer;
    return true;
  }
  curl_slist* get() const { return list_; }

 private:
  curl_slist* list_ = nullptr;
};

}  // namespace

Result<int> perform(const HttpCall& call, const std::function<bool()>& cancelled) {
  const std::unique_ptr<CURL, EasyDeleter> easy(curl_easy_init());
  HeaderList headers;
  bool whole = easy != nullptr && headers.add("Content-Type", "application/json") &&
               headers.add("Expect", "");
  for (const auto& [name, value] : call.headers) whole = whole && headers.add(name, value);
  if (!call.secret_header.first.empty())
    whole = whole && headers.add(call.secret_header.first, call.secret_header.second.reveal());
  if (!whole) return fail(Blame::Self, "no memory for a request");

  std::array<char, CURL_ERROR_SIZE> problem{};
  CURL* const handle = easy.get();
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, problem.data());
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_URL, call.url.c_str());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_USERAGENT, "headgate");
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body.size()));
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, call.body.data());
  curl_easy_setopt(handle, CURLOPT_TIMEOUT, kLongestSeconds);
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl_easy_setopt(
      handle, CURLOPT_WRITEFUNCTION,
      +[](char*, std::size_t one, std::size_t size, void*) { return one * size; });
  curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(handle, CURLOPT_XFERINFODATA, &cancelled);
  curl_easy_setopt(
      handle, CURLOPT_XFERINFOFUNCTION,
      +[](void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
        return (*static_cast<const std::function<bool()>*>(self))() ? 1 : 0;
      });
  const CURLcode code = curl_easy_perform(handle);
  if (code != CURLE_OK)
    return fail(Blame::Self, "{}", problem[0] != 0 ? problem.data() : curl_easy_strerror(code));
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  return static_cast<int>(status);
}

}  // namespace headgate::reconciler
