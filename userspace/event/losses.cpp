#include "event/losses.hpp"

#include <algorithm>

namespace timesink::event {

Losses::Cpu& Losses::cpu(std::uint16_t number) {
    if (number >= cpus_.size()) {
        cpus_.resize(std::size_t{number} + 1);
    }
    return cpus_[number];
}

void Losses::saw(const ts_event_head& head) {
    if (head.cpu == TS_CPU_USERSPACE) {
        return;
    }
    Cpu& at = cpu(head.cpu);
    const Instant time = instant_from_ns(head.time);
    if (!at.seen) {
        at.seen = true;
        at.next = head.sequence;
        at.last = time;
    }
    const auto ahead = static_cast<std::int32_t>(head.sequence - at.next);  // wraps every 2^32 records
    if (ahead < 0) {
        fill(at, head.sequence);
    } else {
        if (ahead > 0) {
            if (at.holes.empty()) {
                with_holes_.push_back(head.cpu);
            }
            at.holes.push_back({at.next, head.sequence, std::min(at.last, time), std::max(at.last, time), 0});
        }
        at.next = head.sequence + 1;
    }
    at.last = std::max(at.last, time);
}

void Losses::fill(Cpu& cpu, std::uint32_t sequence) {
    const std::size_t searched = std::min(cpu.holes.size(), kHolesSearched);
    for (auto hole = cpu.holes.end() - static_cast<std::ptrdiff_t>(searched); hole != cpu.holes.end(); ++hole) {
        if (sequence - hole->begin >= hole->end - hole->begin) {
            continue;
        }
        Hole behind{sequence + 1, hole->end, hole->first, hole->last, 0};
        behind.told = std::min<std::uint64_t>(hole->told, behind.end - behind.begin);
        hole->told -= behind.told;
        hole->end = sequence;
        if (behind.begin != behind.end) {
            hole = cpu.holes.insert(hole + 1, behind) - 1;
        }
        if (hole->begin == hole->end) {
            cpu.holes.erase(hole);
        }
        return;
    }
}

void Losses::told(std::uint16_t number, std::uint64_t count) {
    if (count == 0) {
        return;  // live/ says that a loss goes on; its number comes with the kernel's record
    }
    Cpu& at = cpu(number);
    at.accounted += count;
    for (auto hole = at.holes.rbegin(); hole != at.holes.rend() && count != 0; ++hole) {
        const std::uint64_t of_hole = std::min(count, hole->untold());
        hole->told += of_hole;
        count -= of_hole;
    }
}

void Losses::total(std::uint64_t number, std::uint64_t count) {
    if (number < TS_CPU_USERSPACE) {
        cpu(static_cast<std::uint16_t>(number)).total = count;
    }
}

std::vector<Losses::Gap> Losses::settle(Instant horizon) {
    std::vector<Gap> gaps;
    std::sort(with_holes_.begin(), with_holes_.end());
    std::erase_if(with_holes_, [&](std::uint16_t number) {
        Cpu& at = cpus_[number];
        std::erase_if(at.holes, [&](const Hole& hole) {
            if (hole.last >= horizon) {
                return false;
            }
            if (const std::uint64_t untold = hole.untold(); untold != 0) {
                at.accounted += untold;
                gaps.push_back({Loss{hole.first, hole.last, untold, number}, hole.begin});
            }
            return true;
        });
        return at.holes.empty();
    });
    return gaps;
}

std::vector<Loss> Losses::remainder(Instant end) const {
    std::vector<Loss> losses;
    for (std::size_t number = 0; number < cpus_.size(); ++number) {
        const Cpu& at = cpus_[number];
        if (at.total > at.accounted) {
            const Instant first = at.seen ? std::min(at.last, end) : Instant{};
            losses.push_back(Loss{first, end, at.total - at.accounted, static_cast<std::uint16_t>(number)});
        }
    }
    return losses;
}

}  // namespace timesink::event
