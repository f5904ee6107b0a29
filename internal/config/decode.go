package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// decode stores raw, as YAML, the environment or a flag delivered it, in dst. Text is read for every type, because the environment has
// nothing else. Its error says what was wanted and what came.
func decode(dst reflect.Value, raw any) error {
	if raw == nil {
		return fmt.Errorf("has no value: give it one or remove the line")
	}
	switch dst.Interface().(type) {
	case time.Duration:
		d, err := toDuration(raw)
		if err != nil {
			return err
		}
		dst.SetInt(int64(d))
	case string:
		s, ok := raw.(string)
		if !ok {
			return fmt.Errorf("wants text, got %s: put it in quotes", describe(raw))
		}
		dst.SetString(s)
	case bool:
		b, err := strconv.ParseBool(fmt.Sprint(raw))
		if err != nil {
			return fmt.Errorf("wants true or false, got %s", describe(raw))
		}
		dst.SetBool(b)
	case int:
		n, err := strconv.Atoi(strings.TrimSpace(fmt.Sprint(raw)))
		if err != nil {
			return fmt.Errorf("wants a whole number, got %s", describe(raw))
		}
		dst.SetInt(int64(n))
	case []string:
		list, err := toList(raw)
		if err != nil {
			return err
		}
		dst.Set(reflect.ValueOf(list))
	default:
		return fmt.Errorf("has a type that cannot be set: %s", dst.Type())
	}
	return nil
}

func toDuration(raw any) (time.Duration, error) {
	switch v := raw.(type) {
	case time.Duration:
		return v, nil
	case string:
		if d, err := time.ParseDuration(strings.TrimSpace(v)); err == nil {
			return d, nil
		}
	}
	return 0, fmt.Errorf("wants a duration with a unit such as 30s, 5m or 24h, got %s", describe(raw))
}

// toList reads a list, or text with commas between the items. Text of nothing is an empty list, so a variable can clear a file's value.
func toList(raw any) ([]string, error) {
	switch v := raw.(type) {
	case []string:
		return append([]string(nil), v...), nil
	case string:
		if strings.TrimSpace(v) == "" {
			return nil, nil
		}
		items := strings.Split(v, ",")
		for i := range items {
			items[i] = strings.TrimSpace(items[i])
		}
		return items, nil
	case []any:
		var items []string
		for i, item := range v {
			s, ok := item.(string)
			if !ok {
				return nil, fmt.Errorf("wants a list of texts, got %s at place %d: put it in quotes", describe(item), i+1)
			}
			items = append(items, s)
		}
		return items, nil
	}
	return nil, fmt.Errorf("wants a list of texts, got %s", describe(raw))
}

func describe(raw any) string {
	switch v := raw.(type) {
	case nil:
		return "nothing"
	case string:
		return strconv.Quote(v)
	case bool:
		return fmt.Sprintf("the truth value %t", v)
	case map[string]any:
		return "a section"
	case []any:
		return "a list"
	}
	return fmt.Sprintf("%v", raw)
}

// format writes a value as YAML that decode reads back as the same value.
func format(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Duration:
		return shortDuration(x)
	case string:
		return strconv.Quote(x)
	case []string:
		quoted := make([]string, len(x))
		for i, s := range x {
			quoted[i] = strconv.Quote(s)
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	default:
		return fmt.Sprint(x)
	}
}

// shortDuration drops the zero parts at the end: 168h instead of 168h0m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
