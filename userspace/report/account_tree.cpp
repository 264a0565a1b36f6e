#include "report/account_tree.hpp"

#include <algorithm>
#include <cmath>

#include "report/numbers.hpp"
#include "report/safe_text.hpp"

namespace timesink::report {

namespace {

/// Columns of the tree; the widest bar is what 100 columns leave.
constexpr std::size_t kWidestName = 26;
constexpr std::size_t kWidestBar = 50;
constexpr std::size_t kLeastNote = 12;

/// "  ", "  ├─ ", "  │  └─ ": what stands before the name of a row.
std::string branch(const std::vector<TreeRow>& rows, std::size_t at) {
    const auto has_more = [&](int depth) {
        for (std::size_t i = at + 1; i < rows.size() && rows[i].depth >= depth; ++i) {
            if (rows[i].depth == depth) {
                return true;
            }
        }
        return false;
    };
    std::string text = "  ";
    for (int depth = 1; depth < rows[at].depth; ++depth) {
        text += has_more(depth) ? "│  " : "   ";
    }
    return rows[at].depth == 0 ? text : text + (has_more(rows[at].depth) ? "├─ " : "└─ ");
}

std::string bar(double share, std::size_t room) {
    const auto length = static_cast<std::size_t>(std::lround(share * static_cast<double>(std::min(room, kWidestBar))));
    std::string text;
    for (std::size_t i = 0; i < length; ++i) {
        text += "█";
    }
    return text;
}

/// Note to the left and tail to the right of `room` columns; the note gives way.
std::string note_and_tail(const TreeRow& row, std::size_t room) {
    const std::size_t tail = display_width(row.tail);
    if (row.tail.empty() || tail + 2 + kLeastNote > room) {
        return cut(row.note, room);
    }
    const std::size_t left = std::min(room, std::size_t{66}) - tail - 2;
    return pad_right(cut(row.note, left), left) + "  " + row.tail;
}

/// The columns of the rows before they are drawn: how wide what stands before the notes is.
struct Columns {
    std::vector<std::string> times;
    std::vector<std::string> names;
    std::size_t name_width = 0;
    std::size_t used = 0;
};

Columns columns_of(const std::vector<TreeRow>& rows, const TimeScale& scale, double units) {
    Columns columns;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        columns.times.push_back(scale.fixed(static_cast<double>(rows[i].time.count()) / units));
        columns.names.push_back(branch(rows, i) + cut(rows[i].name, kWidestName));
        columns.name_width = std::max(columns.name_width, display_width(columns.names.back()));
    }
    columns.times = align_points(columns.times);
    columns.used = columns.name_width + 1 + display_width(columns.times.front()) + 1 + display_width(scale.unit) + 2 + 7;
    return columns;
}

/// `bars`: beside the buckets; else their notes.
void draw(Page& page, const std::vector<TreeRow>& rows, const Columns& columns, const TimeScale& scale, Duration wall,
          bool bars) {
    const std::size_t room = page.width() > columns.used + 2 + kLeastNote ? page.width() - columns.used - 2 : 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const double share = share_of(rows[i].time, wall);
        const Paint paint = rows[i].depth == 0 ? paint_of(rows[i].bucket) : Paint::plain;
        std::string text = page.painted(paint, pad_right(columns.names[i], columns.name_width)) + " " + columns.times[i] + " " +
                           std::string(scale.unit) + "  " +
                           pad_left(wall > Duration{} ? percent(share) : std::string(kNotMeasured), 7);
        if (room > 0) {
            const bool with_bar = bars && rows[i].depth == 0;
            text += "  " + (with_bar ? page.painted(paint, bar(share, room)) : note_and_tail(rows[i], room));
        }
        page.line(text);
    }
}

}  // namespace

void draw_rows(Page& page, const std::vector<TreeRow>& rows, Duration wall) {
    TimeScale scale = TimeScale::of(static_cast<double>(wall.count()));
    ++scale.decimals;  // one call of many is short
    draw(page, rows, columns_of(rows, scale, 1), scale, wall, false);
}

void draw_account(Page& page, const analyze::Model& model, const analyze::Figures& figures) {
    const Safe safe = [&](std::string_view text) { return page.safe(text); };
    const std::vector<TreeRow> rows = account_rows(model, figures, safe);
    const auto units = static_cast<double>(figures.ledger.units);
    const double mean = static_cast<double>(figures.ledger.wall.count()) / units;
    const TimeScale scale = TimeScale::of(mean);
    const Columns columns = columns_of(rows, scale, units);

    const auto quantile = [&](std::string_view label, Duration value) {
        return " · " + std::string(label) + " " + scale.digits(static_cast<double>(value.count()));
    };
    const std::string lead = scale.fixed(mean) + " " + std::string(scale.unit) + " a " + unit_noun(model);
    std::string summary =
        lead + quantile("p50", figures.latency.p50) + quantile("p95", figures.latency.p95) + quantile("p99", figures.latency.p99);
    std::string heading = "WHERE THE TIME WENT";
    const std::size_t column = std::max(columns.used + 2, heading.size() + 2);
    if (column + display_width(summary) <= page.width()) {
        page.line(page.painted(Paint::heading, pad_right(heading, column)) + summary);
    } else {
        page.heading(heading);
        page.line("  " + cut(summary, page.width() - 2));
    }
    draw(page, rows, columns, scale, figures.ledger.wall, true);
}

}  // namespace timesink::report
