package schemas

// Mark identifies what one mark is about.
type Mark struct {
	Table  Table
	Day    Day
	Source string
}

// Marks says up to which offset each table counts each source's messages, by the day of their windows. Absent means nothing is counted.
type Marks map[Mark]int64
