// bsdp_go plays a Mac with the BSDP package of insomniacslk/dhcp, an implementation that knows nothing of ours: LIST,
// then SELECT of the image named by -image (default: the server's default), then the exchange as one line of JSON.
//
// Built without network against Debian's golang-github-insomniacslk-dhcp-dev.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/bsdp"
	"github.com/insomniacslk/dhcp/dhcpv4/client4"
)

type image struct {
	ID      uint32 `json:"id"`
	Index   uint16 `json:"index"`
	Install bool   `json:"install"`
	Name    string `json:"name"`
}

type result struct {
	ListServer   string  `json:"list_server"`
	Priority     uint16  `json:"priority"`
	Default      uint32  `json:"default"`
	Remembered   *uint32 `json:"remembered"`
	Images       []image `json:"images"`
	SelectServer string  `json:"select_server"`
	SelectKind   string  `json:"select_kind"`
	Selected     uint32  `json:"selected"`
	TftpServer   string  `json:"tftp_server"`
	BootFile     string  `json:"boot_file"`
}

func number(id bsdp.BootImageID) uint32 {
	octets := id.ToBytes()
	return uint32(octets[0])<<24 | uint32(octets[1])<<16 | uint32(octets[2])<<8 | uint32(octets[3])
}

func play(interfaceName, class string, index uint, timeout time.Duration) (*result, error) {
	port, err := net.InterfaceByName(interfaceName)
	if err != nil {
		return nil, err
	}
	addresses, err := port.Addrs()
	if err != nil {
		return nil, err
	}
	own, err := dhcpv4.GetExternalIPv4Addrs(addresses)
	if err != nil || len(own) == 0 {
		return nil, fmt.Errorf("no IPv4 address on %s: %v", interfaceName, err)
	}
	sender, err := client4.MakeBroadcastSocket(interfaceName)
	if err != nil {
		return nil, err
	}
	receiver, err := client4.MakeListeningSocket(interfaceName)
	if err != nil {
		return nil, err
	}
	client := client4.NewClient()
	client.ReadTimeout = timeout
	// The package would send from 0.0.0.0; a Mac that has an address sends from it.
	client.LocalAddr = &net.UDPAddr{IP: own[0], Port: dhcpv4.ClientPort}

	list, err := bsdp.NewInformList(port.HardwareAddr, own[0], dhcpv4.ClientPort)
	if err != nil {
		return nil, err
	}
	list.UpdateOption(dhcpv4.OptClassIdentifier(class))
	answer, err := client.SendReceive(sender, receiver, &list.DHCPv4, dhcpv4.MessageTypeAck)
	if err != nil {
		return nil, fmt.Errorf("LIST: %w", err)
	}
	vendor := bsdp.GetVendorOptions(answer.Options)
	if vendor == nil || vendor.MessageType() != bsdp.MessageTypeList || vendor.DefaultBootImageID() == nil {
		return nil, errors.New("the answer is no ACK[LIST] with a default image")
	}
	found := &result{ListServer: answer.ServerIdentifier().String(), Default: number(*vendor.DefaultBootImageID())}
	if found.Priority, err = vendor.ServerPriority(); err != nil {
		return nil, fmt.Errorf("priority: %w", err)
	}
	if remembered := vendor.SelectedBootImageID(); remembered != nil {
		id := number(*remembered)
		found.Remembered = &id
	}
	var wanted *bsdp.BootImage
	for _, each := range vendor.BootImageList() {
		each := each
		found.Images = append(found.Images, image{number(each.ID), each.ID.Index, each.ID.IsInstall, each.Name})
		if uint(each.ID.Index) == index || (index == 0 && number(each.ID) == found.Default) {
			wanted = &each
		}
	}
	if wanted == nil {
		return nil, errors.New("the wanted image is not in the list")
	}

	choice, err := bsdp.InformSelectForAck(bsdp.PacketFor(answer), dhcpv4.ClientPort, *wanted)
	if err != nil {
		return nil, err
	}
	// The package makes this packet out of the reply; what a request has of its own is set here.
	choice.OpCode = dhcpv4.OpcodeBootRequest
	choice.ClientIPAddr = own[0]
	choice.UpdateOption(dhcpv4.OptClassIdentifier(class))
	answer, err = client.SendReceive(sender, receiver, &choice.DHCPv4, dhcpv4.MessageTypeAck)
	if err != nil {
		return nil, fmt.Errorf("SELECT: %w", err)
	}
	vendor = bsdp.GetVendorOptions(answer.Options)
	if vendor == nil {
		return nil, errors.New("the answer to SELECT has no vendor options")
	}
	found.SelectServer = answer.ServerIdentifier().String()
	found.SelectKind = vendor.MessageType().String()
	if selected := vendor.SelectedBootImageID(); selected != nil {
		found.Selected = number(*selected)
	}
	found.TftpServer = answer.ServerIPAddr.String()
	found.BootFile = answer.BootFileName
	return found, nil
}

func main() {
	interfaceName := flag.String("interface", "en0", "interface with an IPv4 address")
	class := flag.String("class", "AAPLBSDPC/i386/iMac12,1", "vendor class")
	index := flag.Uint("image", 0, "index of the image to choose, 0 for the default")
	timeout := flag.Duration("timeout", 5*time.Second, "how long to wait for each answer")
	flag.Parse()
	found, err := play(*interfaceName, *class, *index, *timeout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bsdp_go:", err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
		fmt.Fprintln(os.Stderr, "bsdp_go:", err)
		os.Exit(1)
	}
}
