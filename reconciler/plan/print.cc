// SPDX-License-Identifier: MIT
// A plan as text for people.
#include <fmt/format.h>

#include <string>
#include <string_view>

#include "reconciler/plan/plan.h"
#include "schema/text.h"

namespace headgate::reconciler {
namespace {

using Action = ResourceChange::Action;

constexpr std::size_t kMaxValueOctets = 200;

std::string amount(const cache::Selected& selected) {
  return fmt::format("{} {}, {}", selected.responses,
                     selected.responses == 1 ? "response" : "responses",
                     format_size(selected.bytes));
}

class Printer {
 public:
  explicit Printer(bool colour) : colour_(colour) {}
  std::string out;

  void resource(const ResourceChange& change) {
    const std::string_view mark = change.action == Action::Add      ? "+"
                                  : change.action == Action::Remove ? "-"
                                                                    : "~";
    out +=
        fmt::format("{} {}{}\n", paint(mark, mark),
                    bold(fmt::format("{} {}", change.kind, clean(change.name))), used_by(change));
    for (const FieldChange& field : change.fields) one_field(field);
    if (change.action != Action::Change && change.resource.contains("spec"))
      tree(change.resource["spec"], 4, mark);
    out += "\n";
  }

  void hosts(const Plan& plan) {
    if (plan.hosts.empty()) return;
    out += bold("Hosts") + "\n";
    for (const HostChange& change : plan.hosts) {
      const std::string_view mark = change.before.empty() ? "+" : change.after.empty() ? "-" : "~";
      const std::string what = change.before.empty() ? "answered by " + change.after
                               : change.after.empty()
                                   ? "no longer answered; it was by " + change.before
                                   : fmt::format("{} → {}", change.before, change.after);
      out += fmt::format("  {} {}: {}\n", paint(mark, mark), clean(change.host), clean(what));
    }
    out += "\n";
  }

  void warnings(const Plan& plan) {
    for (const schema::Diagnostic& warning : plan.warnings)
      out += fmt::format("{} {}\n", paint("~", "New:"), warning.text());
    if (!plan.warnings.empty()) out += "\n";
  }

  void purges(const Plan& plan) {
    if (plan.purges.empty()) return;
    out += bold("Will purge") + "\n";
    for (const Purge& purge : plan.purges)
      out += fmt::format("  {} {}: {} of {} ({}){}\n", paint("!", "!"), clean(purge.id),
                         clean(schema::join(purge.paths)), clean(purge.distribution), purge.mode,
                         purge.touches ? ": " + amount(*purge.touches) : "");
    out += "\n";
  }

  void notes(const Plan& plan) {
    for (const std::string& id : plan.forgotten)
      out += fmt::format("Invalidation {} is removed: what it purged stays purged.\n", clean(id));
    for (const std::string& id : plan.mismatched)
      out += fmt::format(
          "{} invalidation {} comes again with other content: an edge that ran it refuses this. "
          "Give it a new name or nonce.\n",
          paint("-", "Refused:"), clean(id));
    if (!plan.forgotten.empty() || !plan.mismatched.empty()) out += "\n";
  }

 private:
  void one_field(const FieldChange& field) {
    const std::string path = clean(field.path);
    if (field.secret) {
      out += fmt::format("    {} {}: secret changed\n", paint("~", "~"), path);
      return;
    }
    switch (field.kind) {
      case FieldChange::Kind::Reordered:
        out += fmt::format("    {} {}: order: {} → {}\n", paint("~", "↕"), path, list(field.before),
                           list(field.after));
        return;
      case FieldChange::Kind::Added:
        return side("+", path, field.after);
      case FieldChange::Kind::Removed:
        return side("-", path, field.before);
      case FieldChange::Kind::Changed:
        out += fmt::format("    {} {}: {} → {}\n", paint("~", "~"), path, value(field.before),
                           value(field.after));
    }
  }

  /// A field that is on one side only.
  void side(std::string_view mark, const std::string& path, const Json& json) {
    if (!json.is_object()) {
      out += fmt::format("    {} {}: {}\n", paint(mark, mark), path, value(json));
      return;
    }
    out += fmt::format("    {} {}\n", paint(mark, mark), path);
    tree(json, 8, mark);
  }

  void tree(const Json& json, std::size_t indent, std::string_view mark) {
    for (const auto& [key, member] : json.items()) {
      const std::string label = json.is_array() ? "-" : clean(key) + ":";
      out += std::string(indent, ' ') + paint(mark, label);
      const bool nested = member.is_structured() && !member.empty() && !is_flat(member);
      if (nested) {
        out += "\n";
        tree(member, indent + 2, mark);
      } else {
        out += " " + value(member) + "\n";
      }
    }
  }

  static bool is_flat(const Json& json) {
    if (!json.is_array()) return false;
    for (const Json& item : json)
      if (item.is_structured()) return false;
    return true;
  }

  static std::string value(const Json& json) {
    if (json.is_array() && is_flat(json)) return "[" + list(json) + "]";
    std::string text = json.is_string() ? json.get<std::string>()
                                        : json.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (text.empty()) return "\"\"";
    if (text.starts_with("secret (")) return "secret";
    text = clean(text);
    if (text.size() > kMaxValueOctets) text = text.substr(0, kMaxValueOctets) + "…";
    return text;
  }

  static std::string list(const Json& json) {
    std::string text;
    for (const Json& item : json) text += (text.empty() ? "" : ", ") + value(item);
    return text;
  }

  static std::string used_by(const ResourceChange& change) {
    if (change.kind == "Distribution" || change.used_by.empty()) return "";
    return fmt::format(" (used by {})", clean(schema::join(change.used_by)));
  }

  static std::string clean(std::string_view text) { return schema::escape_control(text); }

  std::string bold(std::string_view text) const {
    return colour_ ? fmt::format("\x1b[1m{}\x1b[0m", text) : std::string(text);
  }
  /// In the colour of `mark`: + green, - red, ~ yellow, ! magenta.
  std::string paint(std::string_view mark, std::string_view text) const {
    if (!colour_) return std::string(text);
    const int code = mark == "+" ? 32 : mark == "-" ? 31 : mark == "!" ? 35 : 33;
    return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
  }

  bool colour_;
};

}  // namespace

std::string to_text(const Plan& plan, bool colour) {
  if (plan.empty()) return "No changes: the two configurations do the same.\n";
  Printer printer(colour);
  for (const ResourceChange& change : plan.resources) printer.resource(change);
  printer.hosts(plan);
  printer.purges(plan);
  printer.notes(plan);
  printer.warnings(plan);
  const std::size_t purges = plan.purges.size();
  const auto touches = plan.touches();
  printer.out +=
      fmt::format("Plan: {} to add, {} to change, {} to remove; {} {}{}\n", plan.count(Action::Add),
                  plan.count(Action::Change), plan.count(Action::Remove), purges,
                  purges == 1 ? "invalidation" : "invalidations",
                  touches ? fmt::format(" ({})", amount(*touches)) : "");
  return std::move(printer.out);
}

}  // namespace headgate::reconciler
