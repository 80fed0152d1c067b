// SPDX-License-Identifier: MIT
// CloudFront's CreateInvalidation, GetInvalidation and ListInvalidations, as its SDKs speak them.
#include "appliance/admin/cloudfront/invalidation.h"

#include <algorithm>
#include <charconv>

#include "appliance/admin/cloudfront/xml.h"
#include "schema/text.h"
#include "schema/validate/syntax.h"

namespace headgate::admin::cloudfront {
namespace {

constexpr std::string_view kNamespace = "http://cloudfront.amazonaws.com/doc/2020-05-31/";
constexpr std::string_view kDeclaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
constexpr std::size_t kMaxPaths = 3000;
constexpr std::size_t kMaxCallerReference = 128;
constexpr std::size_t kMaxItems = 100;

struct Target {
  std::string distribution;
  std::string id;  ///< empty: the collection
};

std::optional<Target> target_of(std::string_view path) {
  path.remove_prefix(kPrefix.size());
  constexpr std::string_view kCollection = "/invalidation";
  const auto slash = path.find('/');
  if (slash == 0 || slash == std::string_view::npos) return std::nullopt;
  Target target{std::string(path.substr(0, slash)), {}};
  path.remove_prefix(slash);
  if (!path.starts_with(kCollection)) return std::nullopt;
  path.remove_prefix(kCollection.size());
  if (path.empty()) return target;
  if (path.front() != '/' || path.size() < 2) return std::nullopt;
  target.id = path.substr(1);
  return target;
}

/// RFC 3986 section 2.3: what is not unreserved is encoded.
std::string percent_encode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool unreserved = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                            (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_' || c == '~';
    out += unreserved ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

std::string element(std::string_view name, std::string_view text) {
  return fmt::format("<{0}>{1}</{0}>", name, escape_xml(text));
}

/// Every purge is in force when it is answered; what CloudFront calls InProgress has not begun.
std::string_view status_of(const InvalidationView& view) {
  return view.state == "Pending" ? "InProgress" : "Completed";
}

std::string id_status_time(const InvalidationView& view) {
  return element("Id", view.id) + element("Status", status_of(view)) +
         element("CreateTime", view.created ? format_timestamp(*view.created) : "");
}

std::string document(const InvalidationView& view) {
  std::string items;
  for (const std::string& path : view.paths) items += element("Path", path);
  return fmt::format(
      "{}<Invalidation xmlns=\"{}\">{}<InvalidationBatch><Paths><Quantity>{}</Quantity>"
      "<Items>{}</Items></Paths>{}</InvalidationBatch></Invalidation>\n",
      kDeclaration, kNamespace, id_status_time(view), view.paths.size(), items,
      element("CallerReference", view.id));
}

Answer xml(int status, std::string body) {
  Answer answer;
  answer.status = status;
  answer.content_type = "text/xml";
  answer.body = std::move(body);
  return answer;
}

Answer no_such_distribution(const std::string& name) {
  return error(404, "NoSuchDistribution",
               fmt::format("there is no distribution {}; ids are the names of the repository's "
                           "distributions",
                           schema::in_quotes(name)));
}

/// Why a request is refused, in CloudFront's words.
struct Problem {
  int status = 400;
  std::string_view code = "InvalidArgument";
  std::string message;
};

tl::expected<schema::Invalidation, Problem> read_batch(const std::string& body) {
  const auto wrong = [](std::string message, std::string_view code = "InvalidArgument",
                        int status = 400) {
    return tl::unexpected<Problem>(Problem{status, code, std::move(message)});
  };
  if (body.empty()) return wrong("the body is missing", "MissingBody");
  const auto root = parse_xml(body);
  if (!root) return wrong("the body is no XML: " + root.error().context);
  const XmlElement* paths = root->find("Paths");
  const XmlElement* reference = root->find("CallerReference");
  if (root->name != "InvalidationBatch" || paths == nullptr || reference == nullptr)
    return wrong("the body must be an InvalidationBatch with Paths and CallerReference");
  schema::Invalidation invalidation;
  invalidation.name = reference->text;
  if (invalidation.name.size() > kMaxCallerReference ||
      !schema::kInvalidationId.check(invalidation.name).empty())
    return wrong(
        fmt::format("CallerReference has 1 to {} characters of ASCII", kMaxCallerReference));
  const XmlElement* items = paths->find("Items");
  const std::size_t count = items == nullptr ? 0 : items->children.size();
  const XmlElement* quantity = paths->find("Quantity");
  if (quantity == nullptr || quantity->text != std::to_string(count))
    return wrong("Quantity is not the number of Items", "InconsistentQuantities");
  if (count == 0) return wrong("Items has no Path");
  if (count > kMaxPaths)
    return wrong(fmt::format("a batch has at most {} paths", kMaxPaths), "BatchTooLarge", 413);
  for (const XmlElement& item : items->children) {
    std::string path = item.text;
    if (const std::string expected = schema::kInvalidationPath.check(path); !expected.empty())
      return wrong(fmt::format("{} is not an invalidation path: {}", schema::in_quotes(item.text),
                               expected));
    if (path.starts_with('#'))
      invalidation.select.tags.push_back(path.substr(1));
    else
      invalidation.select.paths.push_back(std::move(path));
  }
  return invalidation;
}

Answer create(const Call& call, const Target& target, const Purging& purging) {
  auto invalidation = read_batch(call.body);
  if (!invalidation)
    return error(invalidation.error().status, invalidation.error().code,
                 invalidation.error().message);
  invalidation->distribution = target.distribution;
  const PurgeReply reply = purging.purge(*invalidation);
  switch (reply.outcome) {
    case PurgeReply::Outcome::Created:
    case PurgeReply::Outcome::Known:
      break;
    case PurgeReply::Outcome::Mismatch:
      return error(409, "InvalidationBatchAlreadyExists", reply.problem);
    case PurgeReply::Outcome::NoDistribution:
      return no_such_distribution(target.distribution);
    case PurgeReply::Outcome::TooMany:
      return error(429, "TooManyInvalidationsInProgress", reply.problem);
    case PurgeReply::Outcome::Refused:
      return error(400, "InvalidArgument", reply.problem);
    case PurgeReply::Outcome::Unavailable:
      return error(503, "ServiceUnavailable", reply.problem);
  }
  Answer answer = xml(201, document(*reply.view));
  answer.headers.emplace_back("Location",
                              fmt::format("{}{}/invalidation/{}", kPrefix, target.distribution,
                                          percent_encode(reply.view->id)));
  return answer;
}

Answer list(const Call& call, const std::vector<InvalidationView>& views) {
  const auto parameter = [&call](const char* name) {
    const auto found = call.parameters.find(name);
    return found == call.parameters.end() ? std::string() : found->second;
  };
  std::size_t max_items = kMaxItems;
  if (const std::string given = parameter("MaxItems"); !given.empty()) {
    const auto [end, problem] =
        std::from_chars(given.data(), given.data() + given.size(), max_items);
    if (problem != std::errc{} || end != given.data() + given.size() || max_items == 0)
      return error(400, "InvalidArgument", "MaxItems is a positive number");
    max_items = std::min(max_items, kMaxItems);
  }
  // The marker is the last id of the page before.
  const std::string marker = parameter("Marker");
  auto first = views.begin();
  if (!marker.empty()) {
    first = std::find_if(views.begin(), views.end(),
                         [&](const InvalidationView& view) { return view.id == marker; });
    if (first == views.end())
      return error(400, "InvalidArgument", "Marker is not the id of an invalidation");
    ++first;
  }
  const auto count = std::min(max_items, static_cast<std::size_t>(views.end() - first));
  const auto last = first + static_cast<std::ptrdiff_t>(count);
  std::string items;
  for (auto view = first; view != last; ++view)
    items += fmt::format("<InvalidationSummary>{}</InvalidationSummary>", id_status_time(*view));
  const bool more = last != views.end();
  return xml(200, fmt::format("{}<InvalidationList xmlns=\"{}\">{}{}<MaxItems>{}</MaxItems>"
                              "<IsTruncated>{}</IsTruncated><Quantity>{}</Quantity>"
                              "<Items>{}</Items></InvalidationList>\n",
                              kDeclaration, kNamespace, element("Marker", marker),
                              more ? element("NextMarker", std::prev(last)->id) : "", max_items,
                              more, count, items));
}

}  // namespace

Answer error(int status, std::string_view code, std::string_view message) {
  return xml(status, fmt::format("{}<ErrorResponse xmlns=\"{}\"><Error><Type>{}</Type>{}{}</Error>"
                                 "<RequestId>headgate</RequestId></ErrorResponse>\n",
                                 kDeclaration, kNamespace, status < 500 ? "Sender" : "Receiver",
                                 element("Code", code), element("Message", message)));
}

Answer answer(const Call& call, const Purging& purging) {
  const auto target = target_of(call.path);
  if (!target) return error(404, "NoSuchResource", "there is nothing at this path");
  if (call.method == "POST") {
    if (target->id.empty()) return create(call, *target, purging);
    Answer refused = error(405, "MethodNotAllowed", "only GET is allowed");
    refused.headers.emplace_back("Allow", "GET, HEAD");
    return refused;
  }
  const auto views = purging.list(target->distribution);
  if (!views) return no_such_distribution(target->distribution);
  if (target->id.empty()) return list(call, *views);
  const auto found = std::find_if(views->begin(), views->end(), [&](const InvalidationView& view) {
    return view.id == target->id;
  });
  if (found == views->end())
    return error(404, "NoSuchInvalidation",
                 fmt::format("there is no invalidation {}", schema::in_quotes(target->id)));
  return xml(200, document(*found));
}

}  // namespace headgate::admin::cloudfront
