package plan

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/weirmesh/weir/forecast/capacity"
)

// Reasons are for a person who is woken up: the number that matters, what it was compared with, and what follows.

func (p *Planner) addReason(in Input, v verdict) string {
	what := fmt.Sprintf("Load of %s is forecast to reach %s calls/s (%s) at %s", name(in), capacity.Number(in.Outlook.Expected), p.sure(in),
		clock(in.Outlook.At, in.At))
	if in.ahead() != in.Outlook.High {
		what = fmt.Sprintf("Load of %s is %s calls/s now, more than was forecast (%s at %s)", name(in), capacity.Number(in.Load), p.sure(in),
			clock(in.Outlook.At, in.At))
	}
	reason := fmt.Sprintf("%s; %s, so%s %s needed, %d run.", what, p.trust(in), p.headroom(), are(v.needed), in.Replicas)
	if float64(v.replicas) < math.Ceil(v.needed) {
		reason += fmt.Sprintf(" %d are proposed, the most in one step.", v.replicas)
	}
	if in.Replicas < in.Day.InstancesMax {
		reason += fmt.Sprintf(" Up to %d instances reported at once in the last 24 h.", in.Day.InstancesMax)
	}
	return reason
}

func (p *Planner) addOtherwise(in Input, v verdict) string {
	subject := "the forecast's upper bound"
	if known(in.Load) && in.Load > v.flip {
		if subject = "load"; in.Outlook.High > v.flip {
			subject = "load and the forecast's upper bound"
		}
	}
	return fmt.Sprintf("%s %d would do if %s were below %s calls/s.", with(in, in.Replicas, in.ahead()), in.Replicas, subject,
		capacity.Number(v.flip))
}

func (p *Planner) removeReason(in Input, v verdict, fewest int) string {
	load := fmt.Sprintf("The busiest minute of the last 24 h asked %s for %s calls/s, and its forecast is %s at %s",
		name(in), capacity.Number(in.Day.PeakLoad), p.sure(in), clock(in.Outlook.At, in.At))
	reason := fmt.Sprintf("%s; %s, so%s %s needed, %d run.", load, in.Fit.Rating(), p.headroom(), are(v.needed), in.Replicas)
	switch {
	case v.replicas > fewest && v.replicas < in.Replicas:
		reason += fmt.Sprintf(" %d are proposed, the fewest in one step and within the loads seen.", v.replicas)
	case float64(fewest) > max(1, math.Ceil(v.needed)):
		reason += fmt.Sprintf(" %d are the fewest allowed.", fewest)
	}
	return reason
}

func (p *Planner) removeOtherwise(in Input, v verdict) string {
	return fmt.Sprintf("%s All %d would stay if the busiest minute had asked for more than %s calls/s.",
		with(in, v.replicas, in.day()), in.Replicas, capacity.Number(v.flip))
}

func forbiddenReason(in Input, fewest int, objections []objection) string {
	words := make([]string, len(objections))
	for i, o := range objections {
		words[i] = o.words
	}
	return fmt.Sprintf("%s of %s would have carried what was seen in the last 24 h, %d run, but %s.", replicas(fewest), name(in), in.Replicas,
		strings.Join(words, "; "))
}

func (p *Planner) holdReason(in Input, v verdict) string {
	var load []string
	if known(in.Load) {
		load = append(load, capacity.Number(in.Load)+" calls/s now")
	}
	if known(in.Day.PeakLoad) {
		load = append(load, fmt.Sprintf("at most %s in any minute of the last 24 h", capacity.Number(in.Day.PeakLoad)))
	}
	load = append(load, fmt.Sprintf("%s at %s", p.sure(in), clock(in.Outlook.At, in.At)))
	worth := fmt.Sprintf("%s replicas' worth is needed ahead", capacity.Number(v.needed))
	if busiest := p.needed(in.day(), p.trusted(in)); busiest > v.needed {
		worth += fmt.Sprintf(", and %s was at the busiest", capacity.Number(busiest))
	}
	return fmt.Sprintf("%s of %s fit: load is %s; %s, so%s %s.", replicas(in.Replicas), name(in), strings.Join(load, ", "),
		p.trust(in), p.headroom(), worth)
}

func (p *Planner) holdOtherwise(in Input, v verdict) string {
	return fmt.Sprintf("More would be proposed if load or the forecast's upper bound rose above %s calls/s.", capacity.Number(v.flip))
}

// trust is what one replica is trusted with before more are proposed, as half a sentence.
func (p *Planner) trust(in Input) string {
	trusted := p.trusted(in)
	if trusted <= in.Fit.RatedLoad {
		return in.Fit.Rating()
	}
	if in.Fit.Unit == capacity.CPU && trusted < in.Fit.LoadHigh*(1+p.stretch(in)) {
		return fmt.Sprintf("one replica would carry %s calls/s at %s CPU (no more than %s have been seen)", capacity.Number(trusted),
			capacity.Percent(in.Fit.Target), capacity.Number(in.Fit.LoadHigh))
	}
	return fmt.Sprintf("one replica is trusted with %s calls/s, %s more than have been seen", capacity.Number(trusted),
		capacity.Percent(p.stretch(in)))
}

// with says what a number of replicas would mean under a load.
func with(in Input, n int, load float64) string {
	each := load / float64(n)
	if in.Fit.Unit != capacity.CPU {
		return fmt.Sprintf("With %s each would get %s calls/s; up to %s have been seen with healthy latency.", replicas(n), capacity.Number(each),
			capacity.Number(in.Fit.RatedLoad))
	}
	busy := fmt.Sprintf("CPU would be at %.0f %%", 100*in.Fit.Busy(each))
	if in.Fit.Busy(each) > 1 {
		busy = "CPU would be at its limit"
	}
	if !in.Fit.Seen(each) {
		busy += fmt.Sprintf(" (a guess: %s calls/s per replica are outside the %s to %s seen)", capacity.Number(each),
			capacity.Number(in.Fit.LoadLow), capacity.Number(in.Fit.LoadHigh))
	}
	return fmt.Sprintf("With %s %s.", replicas(n), busy)
}

// remedy says what would end a refusal.
func remedy(code string) string {
	switch code {
	case capacity.InsufficientHistory:
		return "A proposal is possible when more minutes have been seen."
	case capacity.LoadHardlyVaried:
		return "A proposal is possible when minutes with more or less load per replica have been seen."
	case capacity.IdleAboveTarget:
		return "A proposal is possible with a higher CPU target or limit, or less work without calls."
	}
	return "A proposal is possible when replicas are busier under more load, which a report of their CPU use may show."
}

// sure is the forecast's upper bound: "90 % sure below 51".
func (p *Planner) sure(in Input) string {
	return fmt.Sprintf("%s sure below %s", capacity.Percent(p.cfg.Quantile), capacity.Number(in.Outlook.High))
}

func (p *Planner) headroom() string {
	if p.cfg.Headroom == 0 {
		return ""
	}
	return " with " + capacity.Percent(p.cfg.Headroom) + " headroom"
}

func name(in Input) string {
	if in.Target.Version == "" {
		return in.Target.Name
	}
	return in.Target.Name + "@" + in.Target.Version
}

func replicas(n int) string {
	if n == 1 {
		return "1 replica"
	}
	return fmt.Sprintf("%d replicas", n)
}

// are says how many replicas a need means.
func are(needed float64) string {
	if n := max(1, int(min(math.Ceil(needed), most))); n > 1 {
		return fmt.Sprintf("%d replicas are", n)
	}
	return "1 replica is"
}

// clock is t for people who know the day of `now`.
func clock(t, now time.Time) string {
	t, now = t.UTC(), now.UTC()
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format("15:04")
	}
	return t.Format("15:04 on 2 January")
}
