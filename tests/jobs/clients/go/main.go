// What the Go client of Faktory's author makes of the node at FAKTORY_URL: a line of JSON per step.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/contribsys/faktory/client"
)

func say(step string, value interface{}) {
	line, _ := json.Marshal(map[string]interface{}{"step": step, "value": value})
	fmt.Println(string(line))
}

func must(err error) {
	if err != nil {
		say("error", err.Error())
		os.Exit(1)
	}
}

func main() {
	client.RandomProcessWid = "go-worker-1"
	c, err := client.Open()
	must(err)
	job := client.NewJob("Go", 9007199254740993, "two")
	job.Queue = "go"
	job.ReserveFor = 600
	must(c.Push(job))
	bulk := []*client.Job{}
	for i := 0; i < 50; i++ {
		next := client.NewJob("Bulk", i)
		next.Queue = "go"
		bulk = append(bulk, next)
	}
	bulk[3].Type = ""
	refused, err := c.PushBulk(bulk)
	must(err)
	say("refused", len(refused))
	got, err := c.Fetch("go")
	must(err)
	say("fetched", []interface{}{got.Jid == job.Jid, got.Type, got.ReserveFor, len(got.Args), got.EnqueuedAt != "", got.CreatedAt == job.CreatedAt})
	must(c.Ack(got.Jid))
	got, err = c.Fetch("go")
	must(err)
	must(c.Fail(got.Jid, os.ErrNotExist, []byte("main.go:1\nmain.go:2\n")))
	must(c.Requeue(client.Retries, client.WithJids(got.Jid)))
	count, failed := 0, 0
	for {
		next, err := c.Fetch("go")
		must(err)
		if next == nil {
			break
		}
		if next.Failure != nil {
			failed = next.Failure.RetryCount
		}
		must(c.Ack(next.Jid))
		count++
	}
	say("worked", []int{count, failed})
	must(c.PauseQueues("go"))
	must(c.Push(client.NewJob("Paused", 1)))
	must(c.ResumeQueues("go"))
	state, err := c.Beat()
	must(err)
	say("beat", state)
	tracked := client.NewJob("Tracked", 1).SetCustom("track", 1)
	tracked.Queue = "go"
	must(c.Push(tracked))
	_, err = c.Fetch("go")
	must(err)
	until := time.Now().Add(time.Hour)
	must(c.TrackSet(tracked.Jid, 50, "half", &until))
	track, err := c.TrackGet(tracked.Jid)
	must(err)
	say("tracked", []interface{}{track.State, track.Percent})
	must(c.Ack(tracked.Jid))
	unique := client.NewJob("Unique", 1).SetUniqueFor(60)
	must(c.Push(unique))
	say("unique", c.Push(client.NewJob("Unique", 1).SetUniqueFor(60)) != nil)
	info, err := c.CurrentState()
	must(err)
	say("info", []interface{}{info.Data.TotalProcessed > 0, info.Server.Description, info.Data.TotalQueues > 0})
	must(c.Close())
}
