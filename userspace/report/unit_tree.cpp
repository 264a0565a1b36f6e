#include "report/unit_tree.hpp"

#include <algorithm>
#include <map>

#include "analyze/call_name.hpp"
#include "analyze/unit_calls.hpp"
#include "report/genai_wording.hpp"
#include "report/numbers.hpp"
#include "report/safe_text.hpp"
#include "report/text.hpp"
#include "report/unit_account.hpp"
#include "report/wording.hpp"

namespace timesink::report {

namespace {

using attribute::Account;
using attribute::Bucket;
using attribute::Cause;
using attribute::Piece;

void charge(UnitStep& step, const Piece& piece) {
    const auto found =
        std::find_if(step.causes.begin(), step.causes.end(), [&](const auto& each) { return each.first == piece.cause; });
    if (found != step.causes.end()) {
        found->second += piece.span.length();
    } else {
        step.causes.emplace_back(piece.cause, piece.span.length());
    }
    step.on_path += piece.span.length();
}

}  // namespace

std::vector<UnitStep> steps(const Account& account) {
    std::vector<UnitStep> calls;
    std::map<ExchangeId, std::size_t> index;
    for (const attribute::OwnedExchange& owned : account.exchanges) {
        index.emplace(owned.exchange.id, calls.size());
        UnitStep step;
        step.begin = owned.exchange.sent;
        step.length = analyze::call_length(owned.exchange);
        step.call = &owned;
        calls.push_back(std::move(step));
    }
    std::vector<UnitStep> own;
    bool open = false;
    for (const Piece& piece : account.pieces) {
        const auto found = piece.exchange == ExchangeId{} ? index.end() : index.find(piece.exchange);
        if (found != index.end()) {
            UnitStep& call = calls[found->second];
            if (call.on_path == Duration{}) {
                call.begin = std::min(call.begin, piece.span.begin);
            }
            charge(call, piece);
            open = false;
            continue;
        }
        // Own time, and calls that the exemplar no longer has; one step as long as the bucket stays the same.
        if (!open || attribute::bucket_of(own.back().causes.front().first) != attribute::bucket_of(piece.cause)) {
            own.emplace_back();
            own.back().begin = piece.span.begin;
            open = true;
        }
        charge(own.back(), piece);
        own.back().length += piece.span.length();
    }
    calls.insert(calls.end(), own.begin(), own.end());
    std::stable_sort(calls.begin(), calls.end(), [](const UnitStep& a, const UnitStep& b) { return a.begin < b.begin; });
    return calls;
}

namespace {

class UnitPage {
public:
    UnitPage(Page& page, const analyze::Exemplar& exemplar, const analyze::Model& model)
        : page_(page), exemplar_(exemplar), account_(exemplar.account), model_(model) {}

    void draw() {
        heading();
        if (account_.unit.exclusion != request::Exclusion::none) {
            page_.line("  left out of the figures: " + std::string(name(account_.unit.exclusion)) +
                       "; no account was made of it");
            return;
        }
        buckets();
        tree();
    }

private:
    [[nodiscard]] double ns(Duration value) const { return static_cast<double>(value.count()); }

    [[nodiscard]] std::string origin(const request::Unit& unit) const {
        const std::string request = unit.request == UnitId{} ? "" : " of unit " + std::to_string(number(unit.request));
        switch (unit.kind) {
            case request::UnitKind::background:
                return "after the response" + request;
            case request::UnitKind::job:
                return unit.added == Instant{} ? "from " + page_.safe(unit.server.address)
                                               : duration(unit.begin - unit.added) + " in " + page_.safe(unit.server.address) +
                                                     (request.empty() ? "" : ", a job" + request);
            case request::UnitKind::request:
                break;
        }
        return "from " + page_.safe(analyze::peer_name(unit.client));
    }

    void heading() {
        const request::Unit& unit = account_.unit;
        const std::string title = page_.safe(unit.method) + (unit.method.empty() ? "" : " ") + page_.safe(unit.path);
        std::vector<std::string> items = {duration(account_.wall())};
        if (unit.status != 0) {
            items.push_back(std::to_string(unit.status));
        }
        if (!unit.error.empty()) {
            items.push_back(cut(page_.safe(unit.error), 60));
        }
        items.push_back("unit " + std::to_string(number(unit.id)));
        items.push_back("pid " + std::to_string(number(unit.process)) + ", thread " + std::to_string(number(unit.thread)));
        items.push_back(origin(unit));
        if (model_.run.began <= unit.begin) {
            items.push_back("began " + duration(unit.begin - model_.run.began) + " after the attach");
        }
        page_.heading(cut(title, page_.width()));
        page_.flow("  ", items, " · ");
    }

    /// The account, and below it what happened in order of time.
    void buckets() {
        const Safe safe = [&](std::string_view text) { return page_.safe(text); };
        draw_rows(page_, unit_account_rows(account_, safe), account_.wall());
        if (account_.hidden > Duration{}) {
            page_.line("  beside it " + duration(account_.hidden) + " hidden");
        }
    }

    [[nodiscard]] std::string what(const UnitStep& step, const TimeScale& scale) const {
        std::string text;
        if (step.call == nullptr) {
            text = std::string(title(step.causes.empty() ? Bucket::overhead : attribute::bucket_of(step.causes.front().first))) +
                   ": ";
        } else {
            const request::Exchange& exchange = step.call->exchange;
            text = (step.hidden() ? "∥ " : "") + page_.safe(exchange.protocol) + " " +
                   (exchange.host.empty() ? "" : page_.safe(exchange.host) + " ") +
                   page_.safe(analyze::call_name(exchange.operation, exchange.statement));
            if (step.call->object != 0) {
                text += " · object " + std::to_string(step.call->object);
            }
            if (exchange.genai != nullptr) {
                text += " · " + page_.safe(exchange.genai->model()) + wording_of(exchange);
            }
            if (step.hidden()) {
                return text;
            }
            text += step.causes.size() > 1 ? ": " : "";
        }
        if (step.causes.size() > 1 || step.call == nullptr) {
            bool first = true;
            for (const auto& [cause, time] : step.causes) {
                text += (first ? "" : " · ") + std::string(title(cause)) +
                        (step.causes.size() > 1 ? " " + scale.fixed(ns(time)) : "");
                first = false;
            }
        }
        return text;
    }

    /// What the other end did, where it is traced.
    [[nodiscard]] std::string there(const attribute::OwnedExchange& owned, const TimeScale& scale) const {
        std::string text = "└ unit " + std::to_string(number(owned.exchange.callee)) + " there: ";
        const analyze::Opened opened{1, owned.on_path, owned.inside->by_cause, owned.inside->between};
        for (std::size_t i = 0; i < attribute::kBucketCount; ++i) {
            const auto bucket = static_cast<Bucket>(i);
            if (const Duration time = opened.bucket(bucket); time > Duration{}) {
                text += std::string(title(bucket)) + " " + scale.fixed(ns(time)) + " · ";
            }
        }
        return text + "on the way " + scale.fixed(ns(opened.between));
    }

    /// Size, evidence and what went wrong: at the right edge.
    [[nodiscard]] std::string tail(const UnitStep& step) const {
        if (step.call == nullptr) {
            return {};
        }
        const request::Exchange& exchange = step.call->exchange;
        const bool sends = exchange.one_way || exchange.body_out > exchange.body_in;
        std::string text = (sends ? "out " : "") + bytes(static_cast<double>(sends ? exchange.bytes_out : exchange.bytes_in));
        if (exchange.rows.value_or(0) > 0) {
            text += ", " + noun(*exchange.rows, "row");
        }
        text += "  " + std::string(attribute::name(step.call->evidence));
        if (step.call->evidence == attribute::Evidence::inferred) {
            text += " " + fixed(step.call->margin, 2);
        }
        if (!exchange.error.empty()) {
            text += "  " + cut(page_.safe(exchange.error), 20);
        } else if (exchange.status >= 400) {
            const bool coded = exchange.storage != nullptr && !exchange.storage->error_code.empty();
            text +=
                "  " + std::to_string(exchange.status) + (coded ? " " + cut(page_.safe(exchange.storage->error_code), 20) : "");
        }
        return text + (exchange.complete ? "" : "  cut off");
    }

    void tree() {
        const std::vector<UnitStep> all = steps(account_);
        TimeScale scale = TimeScale::of(ns(account_.wall()));
        ++scale.decimals;  // one call of many is short
        std::vector<std::string> starts;
        std::vector<std::string> lengths;
        std::vector<std::string> on_path;
        for (const UnitStep& step : all) {
            starts.push_back("+" + scale.fixed(std::max(0.0, ns(step.begin - account_.unit.begin))));
            lengths.push_back(step.call == nullptr ? std::string() : scale.fixed(ns(step.length)));
            on_path.push_back(step.hidden() ? std::string(kNotMeasured) : scale.fixed(ns(step.on_path)));
        }
        const auto column = [](std::vector<std::string>& cells, const std::string& head) {
            cells.push_back(head);
            std::size_t width = 0;
            for (const std::string& cell : cells) {
                width = std::max(width, display_width(cell));
            }
            for (std::string& cell : cells) {
                cell = pad_left(cell, width);
            }
        };
        column(starts, "start");
        column(lengths, "length");
        column(on_path, "counts");
        const std::string unit(scale.unit);
        page_.line(
            page_.painted(Paint::faint, "   " + starts.back() + "  " + lengths.back() + "  " + on_path.back() + "  in " + unit));
        const std::size_t used =
            3 + display_width(starts.back()) + display_width(lengths.back()) + display_width(on_path.back()) + 6;
        const std::size_t room = page_.width() > used ? page_.width() - used : 1;
        const bool cut_off = exemplar_.exchanges_omitted > 0 || exemplar_.pieces_omitted > 0;
        for (std::size_t i = 0; i < all.size(); ++i) {
            const UnitStep& step = all[i];
            const std::string end = tail(step);
            std::string text = what(step, scale);
            if (!end.empty() && display_width(end) + 2 + 16 <= room) {
                const std::size_t left = room - display_width(end) - 2;
                text = pad_right(cut(text, left), left).append("  ").append(end);
            } else {
                text = cut(text, room);
            }
            const Paint paint = step.hidden() ? Paint::faint : step.call == nullptr ? Paint::plain : paint_of(step.call->bucket);
            const bool last = i + 1 == all.size() && !cut_off;
            page_.line((last ? "└─ " : "├─ ") + starts[i] + "  " + lengths[i] + "  " + on_path[i] + "  " +
                       page_.painted(paint, text));
            if (step.call != nullptr && step.call->inside) {
                page_.line((last ? "   " : "│  ") + std::string(used - 3, ' ') +
                           page_.painted(Paint::faint, cut(there(*step.call, scale), room)));
            }
        }
        if (cut_off) {
            page_.line("└─ cut off here: " + noun(exemplar_.exchanges_omitted, "more call") +
                       " not kept; timesink report FILE --unit " + std::to_string(number(account_.unit.id)) + " has them");
        }
        if (account_.hidden > Duration{}) {
            page_.line("   ∥ ran beside what counts: hidden, not part of the sum");
        }
    }

    Page& page_;
    const analyze::Exemplar& exemplar_;
    const Account& account_;
    const analyze::Model& model_;
};

}  // namespace

Result<std::string> render_slowest(const analyze::Model& model, std::size_t count, const TextOptions& options) {
    const Result<const analyze::ServiceLine*> service = find_service(model, options.service);
    if (!service) {
        return service.error();
    }
    const analyze::Figures* figures = *service != nullptr ? &(*service)->figures : &model.total;
    if (!options.route.empty()) {
        const Result<const analyze::RouteLine*> route = find_route(model, options.route, *service);
        if (!route) {
            return route.error();
        }
        figures = &(*route)->figures;
    }
    Page page(options);
    const std::size_t shown = std::min(count, figures->slowest.size());
    page.heading("THE SLOWEST " + (shown == figures->ledger.units ? "" : std::to_string(shown) + " OF ") +
                 noun(figures->ledger.units, unit_noun(model)));
    for (std::size_t i = 0; i < shown; ++i) {
        page.line();
        UnitPage(page, *figures->slowest[i], model).draw();
    }
    return page.take();
}

const analyze::Exemplar* find_unit(const analyze::Model& model, UnitId id) {
    const auto among = [&](const analyze::Exemplars& exemplars) -> const analyze::Exemplar* {
        for (const auto& each : exemplars) {
            if (each->account.unit.id == id) {
                return each.get();
            }
        }
        return nullptr;
    };
    if (model.wanted && model.wanted->account.unit.id == id) {
        return model.wanted.get();
    }
    if (const analyze::Exemplar* found = among(model.total.slowest)) {
        return found;
    }
    for (const analyze::RouteLine& line : model.routes) {
        if (const analyze::Exemplar* found = among(line.figures.slowest)) {
            return found;
        }
    }
    return among(model.sample);
}

Result<std::string> render_unit(const analyze::Model& model, UnitId id, const TextOptions& options) {
    const analyze::Exemplar* found = find_unit(model, id);
    if (found == nullptr) {
        return Error{"unit " + std::to_string(number(id)) + ": not seen in this run"};
    }
    Page page(options);
    UnitPage(page, *found, model).draw();
    return page.take();
}

}  // namespace timesink::report
